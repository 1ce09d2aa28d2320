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
	var repo string
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
					fmt.Fprintf(io.out, "%-8s %-14s %s\n", x.State, x.Name, strings.ReplaceAll(strings.TrimSpace(x.Text), "\n", "\n                        "))
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
