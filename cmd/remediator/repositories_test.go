package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/localize"
)

// repositoryWith makes a clone whose configuration names the services.
func repositoryWith(t *testing.T, services ...string) string {
	t.Helper()
	dir := t.TempDir()
	text := "services:\n"
	for _, s := range services {
		text += "  " + s + ": {paths: [\"" + s + "/**\"], test: [\"true\"]}\n"
	}
	if len(services) == 0 {
		text = "not: [valid"
	}
	if err := os.WriteFile(filepath.Join(dir, config.File), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "."}, {"-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-q", "-m", "start"}} {
		cmd := exec.Command("git", args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL="+os.DevNull, "GIT_CONFIG_NOSYSTEM=1")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("git %v: %v %s", args, err, out)
		}
	}
	return dir
}

func TestAClonesPathIsCheckedAtTheStart(t *testing.T) {
	var log bytes.Buffer
	logger := slog.New(slog.NewTextHandler(&log, nil))
	good := config.ServedRepository{Name: "local/good", Path: repositoryWith(t, "edge")}
	if err := checkClones([]config.ServedRepository{good, {Name: "acme/elsewhere"}}, logger); err != nil || log.Len() != 0 {
		t.Errorf("%v %s", err, &log)
	}
	for what, bad := range map[string]config.ServedRepository{
		"no directory":   {Name: "local/bad", Path: filepath.Join(t.TempDir(), "typo")},
		"no repository":  {Name: "local/bad", Path: t.TempDir()},
		"no such branch": {Name: "local/bad", Path: good.Path, Branch: "trunk"},
	} {
		if err := checkClones([]config.ServedRepository{good, bad}, logger); err == nil || !strings.Contains(err.Error(), "local/bad") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if err := checkClones([]config.ServedRepository{{Name: "local/odd", Path: repositoryWith(t)}}, logger); err != nil || !strings.Contains(log.String(), "local/odd") {
		t.Errorf("an invalid configuration: %v %s", err, &log)
	}
}

func TestChooseRepository(t *testing.T) {
	all := []config.ServedRepository{
		{Name: "acme/front", Path: repositoryWith(t, "edge", "cart")},
		{Name: "acme/back", Path: repositoryWith(t, "ledger")},
		{Name: "acme/odd", Path: repositoryWith(t), Services: []string{"legacy"}},
	}
	for name, tc := range map[string]struct {
		service, named string
		served         []config.ServedRepository
		want           string
	}{
		"by the alert's service":            {service: "ledger", served: all, want: "acme/back"},
		"by what the operator says of it":   {service: "legacy", served: all, want: "acme/odd"},
		"by the source of the alert":        {service: "ledger", named: "acme/front", served: all, want: "acme/front"},
		"the only one":                      {service: "somewhere", served: all[:1], want: "acme/front"},
		"none has the service":              {service: "somewhere", served: all},
		"the source names one that is gone": {named: "acme/gone", served: all},
		"nothing is served":                 {service: "edge"},
	} {
		t.Run(name, func(t *testing.T) {
			r := &repositories{list: func(context.Context) ([]config.ServedRepository, error) { return tc.served, nil },
				mirror: func(context.Context, string) (string, error) { return "", errors.New("no mirror here") }}
			got, err := r.choose(context.Background(), incident.Incident{Service: tc.service}, localize.Evidence{}, tc.named)
			if tc.want == "" {
				if !errors.Is(err, errNoRepository) {
					t.Errorf("got %s and %v, want no repository", got.Name, err)
				}
				return
			}
			if err != nil || got.Name != tc.want {
				t.Errorf("got %q and %v, want %q", got.Name, err, tc.want)
			}
		})
	}
}

// A repository that cannot be read may be the one: that is a failure to try again, not an answer.
func TestUnreadableRepositoryIsNotTakenForAForeignOne(t *testing.T) {
	down := errors.New("unreachable")
	r := &repositories{list: func(context.Context) ([]config.ServedRepository, error) {
		return []config.ServedRepository{{Name: "acme/front", Path: repositoryWith(t, "edge")}, {Name: "acme/far"}}, nil
	}, mirror: func(context.Context, string) (string, error) { return "", down }}
	if _, err := r.choose(context.Background(), incident.Incident{Service: "ledger"}, localize.Evidence{}, ""); !errors.Is(err, down) {
		t.Errorf("got %v, want the failure", err)
	}
	if got, err := r.choose(context.Background(), incident.Incident{Service: "edge"}, localize.Evidence{}, ""); err != nil || got.Name != "acme/front" {
		t.Errorf("got %q and %v: another repository has the service", got.Name, err)
	}
}
