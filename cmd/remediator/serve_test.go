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

// What a source needs is looked for before the service takes an alert, and doctor says it too.
func TestServeAndDoctorNameWhatSourcesLack(t *testing.T) {
	dir := t.TempDir()
	file, data := filepath.Join(dir, "serve.yaml"), filepath.Join(dir, "data")
	text := "listen: 127.0.0.1:0\nalerts: {am: {format: alertmanager}}\nsources:\n" +
		"  logs: {kind: loki, url: \"https://logs.example.com\", token_env: SERVE_TEST_TOKEN}\n" +
		"  traces: {kind: tempo, url: \"https://traces.example.com\", ca_file: gone.pem}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SERVE_TEST_TOKEN", "")
	code, _, said := remediatorCommand(t, "serve", "--config", file, "--data-dir", data, "--allow-weak-sandbox")
	if code != exitInput || !strings.Contains(said, "SERVE_TEST_TOKEN") || !strings.Contains(said, "gone.pem") {
		t.Errorf("serve: exit code %d: %s", code, said)
	}
	if _, err := os.Stat(data); !os.IsNotExist(err) {
		t.Errorf("there is a data directory: %v", err)
	}
	if code, out, _ := remediatorCommand(t, "doctor", "--repo", dir, "--server", file); code != exitMachine || !strings.Contains(out, "SERVE_TEST_TOKEN") || !strings.Contains(out, "gone.pem") {
		t.Errorf("doctor: exit code %d: %s", code, out)
	}
	// Of a repository's own sources it is a warning: its incidents may come as directories.
	if err := os.WriteFile(filepath.Join(dir, config.File), []byte("services: {till: {paths: [.], test: [make]}}\n"+text[strings.Index(text, "sources:"):]), 0o600); err != nil {
		t.Fatal(err)
	}
	_, out, _ := remediatorCommand(t, "doctor", "--repo", dir)
	if i := strings.Index(out, "sources"); i < 0 || !strings.HasSuffix(strings.TrimRight(out[:i], " "), "warning") || !strings.Contains(out, "SERVE_TEST_TOKEN") {
		t.Errorf("doctor of the repository: %s", out)
	}
}
