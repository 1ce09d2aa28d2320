package sources

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/remediator/remediator/localize"
)

// madeObjects are what a cluster keeps of a Deployment that was rolled out, rolled out again and undone, of a Rollout, a
// StatefulSet and a ReplicaSet of nobody.
func madeObjects() (*appsv1.DeploymentList, *appsv1.ReplicaSetList, *appsv1.ControllerRevisionList) {
	at := func(minutes int) metav1.Time {
		return metav1.NewTime(testNoon.Add(time.Duration(minutes) * time.Minute))
	}
	owned := func(name, kind, owner string, made metav1.Time, annotations, labels map[string]string) metav1.ObjectMeta {
		yes := true
		return metav1.ObjectMeta{Name: name, Namespace: "shop", CreationTimestamp: made, Annotations: annotations, Labels: labels,
			OwnerReferences: []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: kind, Name: owner, UID: types.UID("uid-" + owner), Controller: &yes}}}
	}
	pod := func(image string, labels, annotations map[string]string, env ...corev1.EnvVar) corev1.PodTemplateSpec {
		return corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: annotations},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "main", Image: image, Env: env}}}}
	}
	deployments := &appsv1.DeploymentList{Items: []appsv1.Deployment{{
		ObjectMeta: metav1.ObjectMeta{Name: "shop-cart", Namespace: "shop", UID: "uid-shop-cart"},
		Status:     appsv1.DeploymentStatus{Conditions: []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, LastUpdateTime: at(40)}}}}}}
	cart := map[string]string{nameLabel: "cart", "app.kubernetes.io/version": "1.2.3"}
	sets := &appsv1.ReplicaSetList{Items: []appsv1.ReplicaSet{
		{ObjectMeta: owned("cart-1", "Deployment", "shop-cart", at(-600), map[string]string{deploymentRevision: "3", revisionHistory: "1"}, nil),
			Spec: appsv1.ReplicaSetSpec{Template: pod("r.example:5000/cart:main-1a2b3c4", cart, nil)}},
		{ObjectMeta: owned("cart-2", "Deployment", "shop-cart", at(10), map[string]string{deploymentRevision: "2"}, nil),
			Spec: appsv1.ReplicaSetSpec{Template: pod("r.example:5000/cart:1.2.4", map[string]string{nameLabel: "cart"}, map[string]string{"example.com/git-commit": argoHash})}},
		{ObjectMeta: owned("pay-1", "Rollout", "pay", at(20), map[string]string{rolloutRevision: "5"}, map[string]string{"rollouts-pod-template-hash": "74b8f"}),
			Spec: appsv1.ReplicaSetSpec{Template: pod("pay@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef", nil, nil,
				corev1.EnvVar{Name: "OTEL_SERVICE_NAME", Value: "payments"}, corev1.EnvVar{Name: "OTEL_RESOURCE_ATTRIBUTES", Value: "a=b, vcs.ref.head.revision=" + argoHash})}},
		{ObjectMeta: metav1.ObjectMeta{Name: "by-hand", Namespace: "shop", CreationTimestamp: at(5)}},
	}}
	revisions := &appsv1.ControllerRevisionList{Items: []appsv1.ControllerRevision{
		{ObjectMeta: owned("db-1", "StatefulSet", "db", at(30), nil, nil), Revision: 2,
			Data: runtime.RawExtension{Raw: []byte(`{"spec":{"template":{"$patch":"replace","metadata":{"labels":{"app":"db"}},"spec":{"containers":[{"name":"db","image":"postgres:16.4-20240501"}]}}}}`)}},
		{ObjectMeta: owned("db-2", "StatefulSet", "db", at(31), nil, nil), Revision: 3, Data: runtime.RawExtension{Raw: []byte(strings.Repeat("[", 5000))}},
	}}
	return deployments, sets, revisions
}

func deployTexts(list []localize.Deploy) string {
	var out []string
	for _, d := range list {
		out = append(out, fmt.Sprintf("%s %s %s %s", d.Time.Format("15:04"), d.Service, d.SHA, d.Version))
	}
	return strings.Join(out, "\n")
}

func TestWorkloadsAreRollOuts(t *testing.T) {
	w := &workloads{current: map[string]*appsv1.Deployment{}}
	deployments, sets, revisions := madeObjects()
	w.deployments(deployments)
	w.replicaSets(sets)
	w.controllerRevisions(revisions)
	want := "12:10 cart " + argoHash + " 1.2.4\n12:20 payments " + argoHash + " sha256:0123456789ab...\n12:30 db  16.4-20240501\n12:31 db  \n12:40 cart 1a2b3c4 1.2.3"
	if got := deployTexts(w.deploys(hourFrom(testNoon))); got != want {
		t.Errorf("roll-outs are\n%s, want\n%s", got, want)
	}
}

func TestCommitsAreRecognised(t *testing.T) {
	for _, c := range []struct{ key, value, image, want string }{
		{"example.com/git-sha", "1A2B3C4D", "", "1a2b3c4d"}, {"org.opencontainers.image.revision", argoHash, "", argoHash}, {"commit", "abcdef1", "", "abcdef1"},
		{"app.kubernetes.io/vcs.ref.head.revision", argoHash, "", argoHash}, {"tags.datadoghq.com/version", "abcdef1", "", ""},
		{deploymentRevision, "abcdef1", "", ""}, {"git-sha", "main", "", ""}, {"git-sha", "20240501", "", ""}, {"pod-template-hash", "7d9f8c6b5", "", ""},
		{"", "", "cart:sha-abc1234", "abc1234"}, {"", "", "cart:abc1234", "abc1234"}, {"", "", "cart:1.2.3", ""}, {"", "", "cart:20240501", ""}, {"", "", "abc1234", ""},
		{"", "", "r:5000/cart", ""}, {"", "", "cart:v1-" + argoHash, argoHash},
	} {
		r := revision{template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{c.key: c.value}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: c.image}}}}}
		if got := r.commit(); got != c.want {
			t.Errorf("%s=%s %s is %q, want %q", c.key, c.value, c.image, got, c.want)
		}
	}
}

// A name that several workloads share tells no service.
func TestSharedNamesAreNotServices(t *testing.T) {
	w := &workloads{}
	for _, name := range []string{"front", "back"} {
		w.revisions = append(w.revisions, revision{namespace: "shop", workload: name, owner: name, made: testNoon,
			template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{nameLabel: "shop"}}}})
	}
	if got := deployTexts(w.deploys(hourFrom(testNoon))); got != "12:00 back  \n12:00 front  " {
		t.Errorf("roll-outs are\n%s", got)
	}
}

func kubernetesOf(t *testing.T, o KubernetesOptions, h http.HandlerFunc) *Kubernetes {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	o.URL = server.URL
	k, err := NewKubernetes(o)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// kindOf is the kind of list that is asked for.
func kindOf(r *http.Request) string {
	return map[string]string{"deployments": "DeploymentList", "replicasets": "ReplicaSetList", "controllerrevisions": "ControllerRevisionList"}[r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]]
}

func TestKubernetesFaults(t *testing.T) {
	empty := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":"apps/v1","metadata":{},"items":[]}`, kindOf(r))
	}
	status := func(code int, reason string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(code)
			fmt.Fprintf(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","message":"told","reason":%q,"code":%d}`, reason, code)
		}
	}
	for name, c := range map[string]struct {
		sets  http.HandlerFunc // what replicasets answer; nil means everything does
		all   http.HandlerFunc
		want  string
		found bool
	}{
		"unauthorized":          {all: status(401, "Unauthorized"), want: "not accepted"},
		"forbidden":             {all: status(403, "Forbidden"), want: "docs/sources.md shows the role"},
		"forbidden in part":     {sets: status(403, "Forbidden"), want: "replicasets.apps may not be listed", found: true},
		"500":                   {all: status(500, "InternalError"), want: "told"},
		"login page":            {all: func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>log in</html>") }, want: "page"},
		"another API":           {all: func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, want: "could not find"},
		"expired while reading": {sets: pagesThenExpired(), want: "the list changed while it was read", found: true},
	} {
		t.Run(name, func(t *testing.T) {
			k := kubernetesOf(t, KubernetesOptions{}, func(w http.ResponseWriter, r *http.Request) {
				switch {
				case c.all != nil:
					c.all(w, r)
				case strings.HasSuffix(r.URL.Path, "/replicasets"):
					c.sets(w, r)
				default:
					empty(w, r)
				}
			})
			_, err := k.Deploys(t.Context(), hourFrom(testNoon))
			var part *Incomplete
			if err == nil || !strings.Contains(err.Error(), c.want) || errors.As(err, &part) != c.found {
				t.Errorf("error is %v", err)
			}
		})
	}
}

// pagesThenExpired answers with a page and then says that its successor is gone.
func pagesThenExpired() http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("continue") != "" {
			w.WriteHeader(http.StatusGone)
			fmt.Fprint(w, `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"Expired","code":410}`)
			return
		}
		fmt.Fprint(w, `{"kind":"ReplicaSetList","apiVersion":"apps/v1","metadata":{"continue":"next"},"items":[]}`)
	}
}

// A server that has always another page is left in the end.
func TestKubernetesListsEnd(t *testing.T) {
	pages := 0
	k := kubernetesOf(t, KubernetesOptions{PageSize: 5000, Namespaces: []string{"shop"}, Selector: "app=x"}, func(w http.ResponseWriter, r *http.Request) {
		q := r.URL.Query()
		if q.Get("limit") != "5000" || q.Get("labelSelector") != "app=x" || !strings.Contains(r.URL.Path, "/namespaces/shop/") {
			t.Errorf("asked is %s", r.URL)
		}
		pages++
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"kind":%q,"apiVersion":"apps/v1","metadata":{"continue":"next"},"items":[]}`, kindOf(r))
	})
	_, err := k.Deploys(t.Context(), hourFrom(testNoon))
	if err == nil || !strings.Contains(err.Error(), "only the first 20000 objects") || pages != 12 {
		t.Errorf("%d pages, %v", pages, err)
	}
}

// A file that a configuration names may not start programs, nor send what other files hold.
func TestKubeconfigMayNotReachOut(t *testing.T) {
	for name, c := range map[string]struct{ user, want string }{
		"a program":      {`exec: {apiVersion: client.authentication.k8s.io/v1, command: ./steal, interactiveMode: Never}`, "starts a program"},
		"another file":   {`tokenFile: /etc/hostname`, "another file"},
		"a token in it":  {`token: abc`, ""},
		"no such syntax": {`{`, "kubeconfig"},
	} {
		file := filepath.Join(t.TempDir(), "config")
		text := "apiVersion: v1\nkind: Config\ncurrent-context: c\nclusters: [{name: c, cluster: {server: 'https://k8s.example'}}]\ncontexts: [{name: c, context: {cluster: c, user: u}}]\nusers:\n- name: u\n  user:\n    " + c.user + "\n"
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		k, err := NewKubernetes(KubernetesOptions{Kubeconfig: file})
		if c.want == "" && (err != nil || k.Name() != "kubernetes at https://k8s.example") || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error is %v", name, err)
		}
	}
	if _, err := NewKubernetes(KubernetesOptions{URL: "https://x", Selector: "a in ("}); err == nil {
		t.Error("a selector that is none is taken")
	}
}
