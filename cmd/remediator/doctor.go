package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/sources"
)

// finding is one thing that doctor looked at.
type finding struct {
	Name  string `json:"name"`
	State string `json:"state"` // ok, warning, missing
	Text  string `json:"text"`
	Next  string `json:"next,omitempty"`
}

func doctorCommand(io stdio) *cobra.Command {
	var f format
	var repo, server string
	c := &cobra.Command{
		Use:   "doctor",
		Short: "Say what this machine and this repository lack, and what to do about it",
		Args:  noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			found := append(examineMachine(c.Context()), examineRepository(repo)...)
			found = append(found, examineModels(c.Context(), repo)...)
			if server != "" {
				found = append(found, examineServer(server)...)
			}
			bad := false
			for _, x := range found {
				bad = bad || x.State == "missing"
			}
			if f.json() {
				if err := writeJSON(io.out, found); err != nil {
					return err
				}
			} else {
				for _, x := range found {
					fmt.Fprintf(io.out, "%-8s %-14s %s\n", x.State, x.Name, strings.ReplaceAll(harmless(strings.TrimSpace(x.Text)), "\n", "\n                        "))
					if x.Next != "" {
						fmt.Fprintf(io.out, "%-23s -> %s\n", "", x.Next)
					}
				}
			}
			if bad {
				return quiet(exitMachine)
			}
			return nil
		},
	}
	c.Flags().StringVar(&repo, "repo", ".", "repository to look at")
	c.Flags().StringVar(&server, "server", "", "also look at this configuration of remediator serve: its secrets, and what its sources need")
	f.bind(c)
	return c
}

func examineMachine(ctx context.Context) []finding {
	found := []finding{{Name: "remediator", State: "ok", Text: version() + ", " + runtime.Version() + " " + runtime.GOOS + "/" + runtime.GOARCH}}
	found = append(found, program(ctx, "git", "missing", "install git 2.34 or later", "--version"))
	found = append(found, fence())
	for _, p := range []struct{ name, arg string }{{"go", "version"}, {"python3", "--version"}, {"node", "--version"}, {"java", "-version"}} {
		found = append(found, program(ctx, p.name, "warning", "needed only for services in its language", p.arg))
	}
	if os.Getenv("COSIGN_PASSWORD") == "" {
		found = append(found, finding{"signing key", "warning", "COSIGN_PASSWORD is not set; without --key every run is signed with a key of its own", "remediator keygen --out DIR, then pass --key DIR/cosign.key"})
	} else {
		found = append(found, finding{"signing key", "ok", "COSIGN_PASSWORD is set", ""})
	}
	return found
}

func program(ctx context.Context, name, ifAbsent, next string, args ...string) finding {
	path, err := exec.LookPath(name)
	if err != nil {
		return finding{name, ifAbsent, "not on PATH", next}
	}
	out, err := exec.CommandContext(ctx, path, args...).CombinedOutput()
	first, _, _ := strings.Cut(string(out), "\n")
	if err != nil {
		return finding{name, ifAbsent, fmt.Sprintf("%s does not run: %v", path, err), next}
	}
	return finding{name, "ok", strings.TrimSpace(first), ""}
}

func fence() finding {
	s, err := sandbox.New(sandbox.Options{})
	if err != nil {
		return finding{"sandbox", "missing", err.Error(), "install bubblewrap, or pass --allow-weak-sandbox for code that you trust"}
	}
	return finding{"sandbox", "ok", "candidate code is held by " + string(s.Fence()), ""}
}

func examineRepository(repo string) []finding {
	c, err := config.Load(os.DirFS(repo))
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return []finding{{config.File, "warning", "not in " + repo, "remediator config init " + repo}}
	case err != nil:
		return []finding{{config.File, "missing", err.Error(), "mend it; `remediator config validate` checks it"}}
	}
	found := []finding{{config.File, "ok", fmt.Sprintf("%d services", len(c.Services)), ""}}
	if f, ok := examineSources(c.Sources, sources.Surroundings{Dir: repo}, true); ok {
		found = append(found, f)
	}
	for _, name := range c.ServiceNames() {
		s := c.Services[name]
		switch {
		case len(s.Test) == 0:
			found = append(found, finding{name, "warning", "has no test command", "set services." + name + ".test; without it a change is never proposed as proved by tests"})
		case len(s.Run) == 0 || s.Port == 0:
			found = append(found, finding{name, "warning", "cannot be started for replay", "set services." + name + ".run and port; until then its pull requests are drafts"})
		case len(s.Golden) == 0:
			found = append(found, finding{name, "warning", "has no golden traces", "record some; until then its pull requests are drafts"})
		}
	}
	return found
}

// examineSources says what the sources of a configuration lack here, ok being false where there are none. No server is
// asked: that they answer, and what they have, fetch says.
func examineSources(conf config.Sources, s sources.Surroundings, tags bool) (_ finding, ok bool) {
	if conf.Empty() {
		return finding{}, false
	}
	var none func(config.DeploySource) (sources.ChangeSource, error)
	if tags {
		none = func(config.DeploySource) (sources.ChangeSource, error) { return nil, nil }
	}
	if _, err := sources.Open(conf, s, none); err != nil {
		return finding{"sources", "warning", err.Error(), "needed by `remediator fetch`, and by `run` without --incident"}, true
	}
	return finding{"sources", "ok", "what they need is here; no server was asked", ""}, true
}

// examineServer looks at a configuration of serve.
func examineServer(name string) []finding {
	c, err := config.LoadServer(name)
	if err != nil {
		return []finding{{config.ServerFile, "missing", err.Error(), "mend it; `remediator config validate --server " + name + "` checks it"}}
	}
	found := []finding{{config.ServerFile, "ok", name + " can be used", ""}}
	for _, w := range c.Warnings() {
		found = append(found, finding{config.ServerFile, "warning", w.String(), ""})
	}
	if f, ok := examineSources(c.Sources, sources.Surroundings{}, false); ok {
		f.Name = "its sources"
		if f.State != "ok" {
			f.State, f.Next = "missing", "`remediator serve` does not start without it"
		}
		found = append(found, f)
	}
	return found
}
