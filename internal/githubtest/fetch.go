package githubtest

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha512"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNotFetched means that GitHub's description is not in the cache.
var ErrNotFetched = errors.New("GitHub's description was not fetched")

// source is one file of one npm package, pinned.
type source struct {
	name, version string
	integrity     string // of the package, as the registry states it
	member        string // the file inside
	file          string // its name in the cache
}

var openAPI = source{
	name: "@octokit/openapi", version: "23.0.2", member: "package/generated/api.github.com.json", file: "api.github.com-23.0.2.json",
	integrity: "sha512-pV8M7L9GY23AybNvTmo2nyjmpmnt6+2sRE/tqr0ZLQcPS4lnw7u5eZGNmwRNkBC3D7gZXbFx5AHzLUVRBXGDhg==",
}

var webhookExamples = source{
	name: "@octokit/webhooks-examples", version: "7.6.1", member: "package/api.github.com/index.json", file: "webhooks-examples-7.6.1.json",
	integrity: "sha512-De6U3XB6O3DtCa7bKgCMzTHdeopqqZ6SNivMYJnK65ierKL1AnNIA0tkRYCRS7lwGT792d+Ps1WbfHlso6MynQ==",
}

// CacheDir is where the description lies, outside every repository.
func CacheDir() (string, error) {
	dir, err := os.UserCacheDir()
	return filepath.Join(dir, "remediator", "github-description"), err
}

// Registry is the npm registry that this machine is set up for.
func Registry(ctx context.Context) string {
	for _, name := range []string{"NPM_CONFIG_REGISTRY", "npm_config_registry"} {
		if v := os.Getenv(name); v != "" {
			return v
		}
	}
	if out, err := exec.CommandContext(ctx, "npm", "config", "get", "registry").Output(); err == nil {
		if v := strings.TrimSpace(string(out)); strings.HasPrefix(v, "http") {
			return v
		}
	}
	return "https://registry.npmjs.org/"
}

// FetchDescription brings GitHub's OpenAPI description and webhook examples into the cache, unless they are there.
func FetchDescription(ctx context.Context, registry string) error {
	dir, err := CacheDir()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, s := range []source{openAPI, webhookExamples} {
		if _, err := os.Stat(filepath.Join(dir, s.file)); err == nil {
			continue
		}
		if err := s.fetch(ctx, registry, dir); err != nil {
			return fmt.Errorf("%s %s: %w", s.name, s.version, err)
		}
	}
	return nil
}

const maxPackage = 256 << 20

func (s source) fetch(ctx context.Context, registry, dir string) error {
	base := s.name[strings.LastIndex(s.name, "/")+1:]
	url := fmt.Sprintf("%s/%s/-/%s-%s.tgz", strings.TrimSuffix(registry, "/"), s.name, base, s.version)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", url, resp.Status)
	}
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxPackage))
	if err != nil {
		return err
	}
	sum := sha512.Sum512(data)
	if got := "sha512-" + base64.StdEncoding.EncodeToString(sum[:]); got != s.integrity {
		return fmt.Errorf("the package has digest %s, not the pinned %s: do not use it", got, s.integrity)
	}
	content, err := member(data, s.member)
	if err != nil {
		return err
	}
	return replaceFile(filepath.Join(dir, s.file), content)
}

// member reads one file of a packed package.
func member(packed []byte, name string) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	for t := tar.NewReader(z); ; {
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("the package holds no %s", name)
		}
		if err != nil {
			return nil, err
		}
		if h.Name == name {
			return io.ReadAll(io.LimitReader(t, maxPackage))
		}
	}
}

// replaceFile writes a file so that nobody ever reads half of it.
func replaceFile(path string, content []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".part-")
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err := errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return os.Rename(f.Name(), path)
}

// cached reads a file of the cache.
func cached(name string) ([]byte, error) {
	dir, err := CacheDir()
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, os.ErrNotExist) {
		return nil, ErrNotFetched
	}
	return data, err
}
