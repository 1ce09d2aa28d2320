package githubtest_test

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/githubtest"
)

// TestForgedPackageIsNotUsed serves a package that is not the pinned one.
func TestForgedPackageIsNotUsed(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	w := tar.NewWriter(z)
	if err := w.WriteHeader(&tar.Header{Name: "package/generated/api.github.com.json", Size: 2, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	var asked []string
	registry := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		_, _ = w.Write(packed.Bytes())
	}))
	defer registry.Close()
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	err := githubtest.FetchDescription(t.Context(), registry.URL+"/npm/")
	if err == nil || !strings.Contains(err.Error(), "not the pinned") {
		t.Errorf("got %v", err)
	}
	if len(asked) != 1 || asked[0] != "/npm/@octokit/openapi/-/openapi-23.0.2.tgz" {
		t.Errorf("asked for %v", asked)
	}
	dir, err := githubtest.CacheDir()
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the cache holds %v, %v", left, err)
	}
}

func TestRegistryOfTheMachineIsUsed(t *testing.T) {
	t.Setenv("NPM_CONFIG_REGISTRY", "https://mirror.example/npm")
	if got := githubtest.Registry(context.Background()); got != "https://mirror.example/npm" {
		t.Errorf("registry = %s", got)
	}
}

// TestDescriptionWithoutARouteIsAnError keeps the stand-in from having what GitHub has not.
func TestDescriptionWithoutARouteIsAnError(t *testing.T) {
	if err := githubtest.Prune([]byte(`{"paths":{}}`)); err == nil || !strings.Contains(err.Error(), "has no GET /app") {
		t.Errorf("got %v", err)
	}
}
