// Package llmtest starts the real model that internal/llm/install-model installs, for tests. It must not be
// imported by anything else.
package llmtest

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// Installed is the folder of the version that the script installs.
const Installed = "model-smollm2-0.1.2-llama-0.3.36"

// Name is what the server calls the model.
const Name = "smollm2-135m-instruct"

// patience is how long a server on a busy machine may take to load the model.
const patience = 2 * time.Minute

// Start starts the server and returns its address; the test ends it. Where the model is not installed the test is
// skipped, and says how to install it.
func Start(t *testing.T, context int) string {
	t.Helper()
	dir := os.Getenv("REMEDIATOR_MODEL_DIR")
	if dir == "" {
		cache := os.Getenv("XDG_CACHE_HOME")
		if cache == "" {
			cache = filepath.Join(os.Getenv("HOME"), ".cache")
		}
		dir = filepath.Join(cache, "remediator", Installed)
	}
	if _, err := os.Stat(filepath.Join(dir, "installed")); err != nil {
		t.Skipf("no real model in %s: run internal/llm/install-model (six minutes)", dir)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(t.TempDir(), "server.log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(filepath.Join(dir, "venv", "bin", "python"), "-m", "llama_cpp.server", "--model", filepath.Join(dir, "model.gguf"), "--model_alias", Name,
		"--n_ctx", fmt.Sprint(context), "--chat_format", "chatml", "--host", "127.0.0.1", "--port", fmt.Sprint(port))
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // it may have ended by itself
		<-ended
		if err := log.Close(); err != nil {
			t.Error(err)
		}
	})
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		if resp, err := http.Get(url + "/v1/models"); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			if resp.Body.Close(); resp.StatusCode == http.StatusOK {
				return url
			}
		}
		select {
		case err := <-ended:
			ended <- err
			text, _ := os.ReadFile(log.Name())
			t.Fatalf("the model's server ended: %v\n%s", err, text)
		case <-time.After(200 * time.Millisecond):
		}
	}
	t.Fatalf("the model's server does not answer within %s", patience)
	return ""
}
