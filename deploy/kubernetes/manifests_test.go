// Package kubernetes holds manifests, and the tests that they are what they claim.
package kubernetes

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/remediator/remediator/internal/config"
)

func TestServedConfigurationIsValid(t *testing.T) {
	text, err := os.ReadFile("base/serve.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := config.ParseServer(text); err != nil {
		t.Error(err)
	}
}

// Every secret that the configuration names is in the command that makes the secret.
func TestSecretHoldsWhatTheConfigurationNames(t *testing.T) {
	conf, err := os.ReadFile("base/serve.yaml")
	if err != nil {
		t.Fatal(err)
	}
	command, err := os.ReadFile("base/secret.example.txt")
	if err != nil {
		t.Fatal(err)
	}
	names := regexp.MustCompile(`/etc/remediator/secrets/(\S+)`).FindAllSubmatch(conf, -1)
	if len(names) == 0 {
		t.Fatal("the configuration names no secret")
	}
	for _, n := range names {
		if !bytes.Contains(command, append([]byte("--from-file="), n[1]...)) {
			t.Errorf("nothing makes the secret %s", n[1])
		}
	}
}

// A real API server accepts everything that the kustomizations render.
func TestLiveAPIServerAccepts(t *testing.T) {
	if os.Getenv("REMEDIATOR_KUBERNETES") == "" {
		t.Skip("REMEDIATOR_KUBERNETES is not set: `make test-kubernetes` builds an API server first, which takes minutes")
	}
	server := startAPIServer(t)
	for _, dir := range []string{"base", "cluster"} {
		t.Run(dir, func(t *testing.T) {
			rendered, err := exec.Command("go", "run", "sigs.k8s.io/kustomize/kustomize/v5@v5.8.0", "build", dir).Output()
			if err != nil {
				t.Fatalf("kustomize: %v %s", err, stderr(err))
			}
			n := 0
			for _, doc := range strings.Split(string(rendered), "\n---\n") {
				server.apply(t, []byte(doc))
				n++
			}
			if n < 7 {
				t.Errorf("only %d objects were rendered", n)
			}
		})
	}
	// What is wrong is refused, or acceptance would mean nothing.
	if code, _ := server.do(t, http.MethodPatch, "/apis/apps/v1/namespaces/remediator/statefulsets/broken?fieldManager=t&fieldValidation=Strict",
		[]byte("apiVersion: apps/v1\nkind: StatefulSet\nmetadata: {name: broken}\nspec: {replica: 1}\n")); code < 400 {
		t.Errorf("a manifest with an unknown field was accepted with %d", code)
	}
}

func stderr(err error) string {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(exit.Stderr)
	}
	return ""
}

type apiServer struct {
	url    string
	client *http.Client
}

const token = "manifests-test"

// startAPIServer runs etcd and kube-apiserver until the test ends.
func startAPIServer(t *testing.T) *apiServer {
	etcd, err := exec.LookPath("etcd")
	if err != nil {
		t.Skip("etcd is missing: apt-get install etcd-server")
	}
	var out bytes.Buffer
	build := exec.Command("./build-apiserver")
	build.Stdout, build.Stderr = &out, os.Stderr
	if err := build.Run(); err != nil {
		t.Fatalf("building kube-apiserver: %v", err)
	}
	dir := t.TempDir()
	ports := freePorts(t, 3)
	store := fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	run(t, etcd, "--data-dir", filepath.Join(dir, "etcd"), "--listen-client-urls", store, "--advertise-client-urls", store,
		"--listen-peer-urls", fmt.Sprintf("http://127.0.0.1:%d", ports[1]), "--log-level", "error")
	for name, text := range map[string]string{"tokens.csv": token + `,admin,admin,"system:masters"` + "\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	key := filepath.Join(dir, "sa.key")
	if msg, err := exec.Command("openssl", "genrsa", "-out", key, "2048").CombinedOutput(); err != nil {
		t.Fatalf("openssl: %v %s", err, msg)
	}
	run(t, strings.TrimSpace(out.String()), "--etcd-servers", store, "--secure-port", fmt.Sprint(ports[2]), "--bind-address", "127.0.0.1",
		"--cert-dir", filepath.Join(dir, "certs"), "--token-auth-file", filepath.Join(dir, "tokens.csv"), "--authorization-mode", "RBAC",
		"--service-account-issuer", "https://test.invalid", "--service-account-key-file", key, "--service-account-signing-key-file", key,
		"--service-cluster-ip-range", "10.0.0.0/24")
	s := &apiServer{url: fmt.Sprintf("https://127.0.0.1:%d", ports[2]), client: &http.Client{Timeout: 10 * time.Second,
		// The server made its certificate a moment ago; who else would listen there.
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	for {
		if code, _ := s.do(t, http.MethodGet, "/readyz", nil); code == http.StatusOK {
			return s
		}
		select {
		case <-ctx.Done():
			t.Fatal("kube-apiserver was not ready within a minute")
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func run(t *testing.T, name string, args ...string) {
	t.Helper()
	cmd := exec.Command(name, args...)
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s:\n%s", filepath.Base(name), tail(log.Bytes(), 4000))
		}
	})
}

func tail(b []byte, n int) []byte { return b[max(0, len(b)-n):] }

func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

func (s *apiServer) do(t *testing.T, method, path string, body []byte) (int, string) {
	t.Helper()
	req, err := http.NewRequest(method, s.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	if method == http.MethodPatch {
		req.Header.Set("Content-Type", "application/apply-patch+yaml")
	}
	resp, err := s.client.Do(req)
	if err != nil {
		return 0, err.Error() // not up yet
	}
	defer resp.Body.Close()
	text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return resp.StatusCode, string(text)
}

// collections are the paths of the kinds that the manifests use.
var collections = map[string]string{
	"Namespace": "/api/v1/namespaces", "ConfigMap": "/api/v1/namespaces/remediator/configmaps",
	"ServiceAccount": "/api/v1/namespaces/remediator/serviceaccounts", "Service": "/api/v1/namespaces/remediator/services",
	"StatefulSet":         "/apis/apps/v1/namespaces/remediator/statefulsets",
	"NetworkPolicy":       "/apis/networking.k8s.io/v1/namespaces/remediator/networkpolicies",
	"PodDisruptionBudget": "/apis/policy/v1/namespaces/remediator/poddisruptionbudgets",
}

// apply sends one object by server-side apply, in which unknown fields are errors.
func (s *apiServer) apply(t *testing.T, doc []byte) {
	t.Helper()
	var o struct {
		Kind     string `yaml:"kind"`
		Metadata struct {
			Name string `yaml:"name"`
		} `yaml:"metadata"`
	}
	if err := yaml.Unmarshal(doc, &o); err != nil {
		t.Fatal(err)
	}
	at, ok := collections[o.Kind]
	if !ok {
		t.Fatalf("no path is known for the kind %q", o.Kind)
	}
	code, text := s.do(t, http.MethodPatch, at+"/"+url.PathEscape(o.Metadata.Name)+"?fieldManager=test&fieldValidation=Strict&force=true", doc)
	if code != http.StatusOK && code != http.StatusCreated {
		t.Errorf("%s %s: %d %s", o.Kind, o.Metadata.Name, code, text)
	}
	if o.Kind == "StatefulSet" {
		s.pod(t, doc)
	}
}

// pod makes the pod that the set describes, which is where admission looks at security settings.
func (s *apiServer) pod(t *testing.T, set []byte) {
	t.Helper()
	var o struct {
		Spec struct {
			Template struct {
				Spec map[string]any `yaml:"spec"`
			} `yaml:"template"`
		} `yaml:"spec"`
	}
	if err := yaml.Unmarshal(set, &o); err != nil {
		t.Fatal(err)
	}
	spec := o.Spec.Template.Spec
	spec["volumes"] = append(spec["volumes"].([]any), map[string]any{"name": "data", "emptyDir": map[string]any{}})
	text, err := yaml.Marshal(map[string]any{"apiVersion": "v1", "kind": "Pod", "metadata": map[string]any{"name": "remediator-0"}, "spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	code, answer := s.do(t, http.MethodPatch, "/api/v1/namespaces/remediator/pods/remediator-0?fieldManager=test&fieldValidation=Strict&force=true&dryRun=All", text)
	if code != http.StatusOK && code != http.StatusCreated {
		t.Errorf("pod: %d %s", code, answer)
	}
}

// Every file that a kustomization names is there, and every manifest is named by one.
func TestKustomizationNamesEveryFile(t *testing.T) {
	text, err := os.ReadFile("base/kustomization.yaml")
	if err != nil {
		t.Fatal(err)
	}
	err = fs.WalkDir(os.DirFS("base"), ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(p, ".yaml") && p != "kustomization.yaml" && !bytes.Contains(text, []byte("- "+p)) {
			t.Errorf("%s is not named in kustomization.yaml", p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
