package sources

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"

	"github.com/remediator/remediator/localize"
)

// What a real API server keeps of roll-outs is read with the role that docs/sources.md shows, page by page, and not
// without it.
func TestLiveKubernetesRollOuts(t *testing.T) {
	if os.Getenv("REMEDIATOR_KUBERNETES") == "" {
		t.Skip("REMEDIATOR_KUBERNETES is not set: `make test-kubernetes` builds an API server first, which takes minutes")
	}
	url, ca := startKubernetes(t)
	admin, err := kubernetes.NewForConfig(&rest.Config{Host: url, BearerToken: "admin-token", TLSClientConfig: rest.TLSClientConfig{CAData: ca}})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the API server is ready", func() bool {
		_, err := admin.Discovery().RESTClient().Get().AbsPath("/readyz").DoRaw(t.Context())
		return err == nil
	})
	ctx := t.Context()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	_, err = admin.CoreV1().Namespaces().Create(ctx, &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}}, metav1.CreateOptions{})
	must(err)
	before := time.Now().Add(-time.Minute)
	deployments, sets, revisions := madeObjects()
	for i := range deployments.Items {
		d := &deployments.Items[i]
		d.UID, d.CreationTimestamp = "", metav1.Time{}
		d.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}
		d.Spec.Template = podOf("x:1")
		made, err := admin.AppsV1().Deployments("shop").Create(ctx, d, metav1.CreateOptions{})
		must(err)
		for j := range sets.Items {
			for k := range sets.Items[j].OwnerReferences {
				if ref := &sets.Items[j].OwnerReferences[k]; ref.Name == made.Name {
					ref.UID = made.UID
				}
			}
		}
	}
	create := func(rs appsv1.ReplicaSet) {
		rs.CreationTimestamp = metav1.Time{}
		rs.Spec.Selector = &metav1.LabelSelector{MatchLabels: map[string]string{"app": "x"}}
		if rs.Spec.Template.Labels == nil {
			rs.Spec.Template.Labels = map[string]string{}
		}
		rs.Spec.Template.Labels["app"] = "x"
		if len(rs.Spec.Template.Spec.Containers) == 0 {
			rs.Spec.Template.Spec = podOf("x:1").Spec
		}
		_, err := admin.AppsV1().ReplicaSets("shop").Create(ctx, &rs, metav1.CreateOptions{})
		must(err)
	}
	for _, rs := range sets.Items {
		create(rs)
	}
	for i := range 7 { // more than two pages
		rs := sets.Items[2].DeepCopy()
		rs.Name = fmt.Sprintf("pay-%d", i+2)
		create(*rs)
	}
	cr := revisions.Items[0]
	cr.CreationTimestamp = metav1.Time{}
	_, err = admin.AppsV1().ControllerRevisions("shop").Create(ctx, &cr, metav1.CreateOptions{})
	must(err)

	rec := &recorder{}
	reader, err := NewKubernetes(KubernetesOptions{URL: url, Token: "reader-token", CA: ca, PageSize: 4,
		Wrap: func(next http.RoundTripper) http.RoundTripper { rec.next = next; return rec }})
	must(err)
	window := Window{before, time.Now().Add(time.Minute)}
	if _, err := reader.Deploys(ctx, window); err == nil || !strings.Contains(err.Error(), "may not be listed; docs/sources.md shows the role") {
		t.Fatalf("without a role the error is %v", err)
	}
	var role rbacv1.ClusterRole
	docs, err := os.ReadFile("../../docs/sources.md")
	must(err)
	m := regexp.MustCompile("(?s)```yaml\n(.*?kind: ClusterRole\n.*?)```").FindSubmatch(docs)
	if m == nil {
		t.Fatal("docs/sources.md shows no role")
	}
	must(yaml.UnmarshalStrict(m[1], &role))
	_, err = admin.RbacV1().ClusterRoles().Create(ctx, &role, metav1.CreateOptions{})
	must(err)
	_, err = admin.RbacV1().ClusterRoleBindings().Create(ctx, &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: "reader"},
		RoleRef: rbacv1.RoleRef{APIGroup: "rbac.authorization.k8s.io", Kind: "ClusterRole", Name: role.Name}, Subjects: []rbacv1.Subject{{Kind: "User", Name: "reader"}}}, metav1.CreateOptions{})
	must(err)
	eventually(t, "the role counts", func() bool { _, err := reader.Deploys(ctx, window); return err == nil })
	rec.kept = nil
	deploys, err := reader.Deploys(ctx, window)
	must(err)
	for _, d := range deploys {
		if d.Time.Before(before) || d.Time.After(window.To) {
			t.Errorf("%+v is not dated by the server", d)
		}
	}
	if got := countDeploys(deploys); got != liveDeploys {
		t.Errorf("roll-outs are %s, want %s", got, liveDeploys)
	}
	if len(rec.kept) < 5 {
		t.Errorf("%d requests: the lists were not read in pages", len(rec.kept))
	}
	if list, err := reader.Deploys(ctx, Window{before.Add(-time.Hour), before}); err != nil || len(list) != 0 {
		t.Errorf("before there were %v (%v)", list, err)
	}
	rec.kept = rec.kept[:len(rec.kept)/2] // the second half is the same again
	rec.save(t, "kubernetes.jsonl", func(s string) string { return s })
}

// liveDeploys are the roll-outs of the test above, counted.
const liveDeploys = "map[cart 1a2b3c4 1.2.3:1 cart " + argoHash + " 1.2.4:1 db  16.4-20240501:1 payments " + argoHash + " sha256:0123456789ab...:8]"

func countDeploys(list []localize.Deploy) string {
	count := map[string]int{}
	for _, d := range list {
		count[d.Service+" "+d.SHA+" "+d.Version]++
	}
	return fmt.Sprint(count)
}

// The exchanges of the test above, without the server.
func TestRecordedKubernetesRollOuts(t *testing.T) {
	k, err := NewKubernetes(KubernetesOptions{URL: "https://kubernetes.example", PageSize: 4, Wrap: func(http.RoundTripper) http.RoundTripper { return replayed(t, "kubernetes.jsonl") }})
	if err != nil {
		t.Fatal(err)
	}
	deploys, err := k.Deploys(t.Context(), Window{To: time.Now().AddDate(100, 0, 0)})
	if got := countDeploys(deploys); err != nil || got != liveDeploys {
		t.Errorf("roll-outs are %s (%v), want %s", got, err, liveDeploys)
	}
}

func podOf(image string) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": "x"}}, Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image}}}}
}

// startKubernetes runs etcd and an API server with RBAC until the test ends.
func startKubernetes(t *testing.T) (url string, ca []byte) {
	t.Helper()
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("etcd is missing: apt-get install etcd-server")
	}
	var out bytes.Buffer
	build := exec.Command("../../deploy/kubernetes/build-apiserver")
	build.Stdout, build.Stderr = &out, os.Stderr
	if err := build.Run(); err != nil {
		t.Fatalf("building kube-apiserver: %v", err)
	}
	dir := t.TempDir()
	ports := unusedPorts(t, 3)
	store := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	start := func(name string, args ...string) {
		cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name, args...)
		var log bytes.Buffer
		cmd.Stdout, cmd.Stderr = &log, &log
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			if t.Failed() {
				t.Logf("%s:\n%s", filepath.Base(name), log.Bytes()[max(0, log.Len()-2000):])
			}
		})
	}
	start(etcd, "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", fmt.Sprintf("http://127.0.0.1:%d", ports[1]), "--log-level", "error")
	tokens := filepath.Join(dir, "tokens.csv")
	if err := os.WriteFile(tokens, []byte("admin-token,admin,admin,\"system:masters\"\nreader-token,reader,reader\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(dir, "sa.key")
	if msg, err := exec.Command("openssl", "genrsa", "-out", key, "2048").CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v %s", err, msg)
	}
	cert, private := filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	if msg, err := exec.Command("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", private, "-out", cert, "-days", "2", "-subj", "/CN=test",
		"-addext", "subjectAltName=IP:127.0.0.1").CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v %s", err, msg)
	}
	start(strings.TrimSpace(out.String()), "--etcd-servers", store, "--secure-port", fmt.Sprint(ports[2]), "--bind-address", "127.0.0.1",
		"--tls-cert-file", cert, "--tls-private-key-file", private, "--token-auth-file", tokens, "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://test.invalid", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--service-cluster-ip-range", "10.0.0.0/24")
	if ca, err = os.ReadFile(cert); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("https://127.0.0.1:%d", ports[2]), ca
}
