package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/internal/config"
)

func TestServeFlagsGoBeforeTheFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "serve.yaml")
	if err := os.WriteFile(file, []byte("listen: 127.0.0.1:9000\nmetrics: 127.0.0.1:9001\nalerts: {am: {format: alertmanager}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	o := serveOptions{config: file, listen: "127.0.0.1:9100", metrics: "off", otlpGRPC: "off", dataDir: t.TempDir(), modelURL: "http://127.0.0.1:11434", repos: []string{"."}}
	conf, err := o.load()
	if err != nil {
		t.Fatal(err)
	}
	if conf.Listen != "127.0.0.1:9100" || conf.URL != "http://127.0.0.1:9100" || conf.Metrics != "off" || conf.OTLP.GRPC != "off" ||
		conf.OTLP.HTTP != config.DefaultOTLPHTTP || conf.Model.URL != "http://127.0.0.1:11434" || len(conf.Alerts) != 1 {
		t.Errorf("got %+v", conf)
	}
	if len(conf.Repositories) != 1 || !filepath.IsAbs(conf.Repositories[0].Path) || !strings.HasPrefix(conf.Repositories[0].Name, "local/") {
		t.Errorf("repositories %+v", conf.Repositories)
	}
}

func TestServeWithoutConfigurationIsBoundToThisMachine(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	conf, err := (&serveOptions{}).load()
	if err != nil {
		t.Fatal(err)
	}
	if !conf.Local() || len(conf.Alerts) != 4 || !filepath.IsAbs(conf.DataDir) || conf.Alerts["grafana"].PerMinute == 0 {
		t.Errorf("got %+v", conf)
	}
	// Reached from elsewhere, nothing is open: the address alone is refused.
	_, err = (&serveOptions{listen: "0.0.0.0:8080"}).load()
	if codeOf(err) != exitInput || !strings.Contains(err.Error(), "url") {
		t.Errorf("bound to everything: %v", err)
	}
}

func TestRepositoryName(t *testing.T) {
	for path, want := range map[string]string{"/src/shop": "shop", "/src/my shop": "my-shop", "/src/.hidden": "hidden"} {
		if got := repositoryName(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
}
