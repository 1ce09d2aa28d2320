package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
)

func TestMain(m *testing.M) {
	sandbox.Init()
	toolchain.Init()
	testscript.Main(m, map[string]func(){"remediator": main})
}

// TestScripts runs the real program, line by line as a person would.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			// The Go toolchain finds its caches as the user's does.
			for _, name := range []string{"GOCACHE", "GOMODCACHE"} {
				out, err := exec.Command("go", "env", name).Output()
				if err != nil {
					return err
				}
				e.Setenv(name, string(out[:len(out)-1]))
			}
			root, err := filepath.Abs("../..")
			if err != nil {
				return err
			}
			e.Setenv("ROOT", root)
			e.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
			return nil
		},
	})
}
