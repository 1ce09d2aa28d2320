package gorecipe

import (
	"strings"
	"testing"

	"github.com/remediator/remediator/patch"
)

func TestProviders(t *testing.T) { testRecipe(t, "providers", NewRetryBackoff()) }

// TestOpenFeatureNeedsItsFile shows that a flag nobody could turn on in a replay is not proposed.
func TestOpenFeatureNeedsItsFile(t *testing.T) {
	for _, f := range fixtures(t, "providers/openfeature.txtar") {
		in := f.input(t)
		in.FlagFile = ""
		plan := patch.Ladder(in, Recipes())
		p, err := patch.Draft(in, plan.Options[0], Recipes())
		if err != nil {
			t.Fatal(err)
		}
		if p.Flag.Provider != "env" || strings.Contains(p.Diff, "BooleanValue(ctx, \"remediator") {
			t.Errorf("flag %+v", p.Flag)
		}
	}
}

// TestOpenFeatureFlagCanBeTurnedOn applies the files of the flag on top of the patch.
func TestOpenFeatureFlagCanBeTurnedOn(t *testing.T) {
	for _, f := range fixtures(t, "providers/openfeature.txtar") {
		p := f.draft(t, NewRetryBackoff())
		if len(p.Flag.Files) != 1 || p.Flag.Files[0].Path != "flags.json" {
			t.Fatalf("files %+v", p.Flag.Files)
		}
		for _, e := range p.Files {
			if e.Kind == patch.FlagFile && string(e.New) != string(p.Flag.Files[0].Old) {
				t.Error("turning the flag on does not start from the patched file")
			}
		}
		if strings.Count(string(p.Flag.Files[0].New), `"on"`) <= strings.Count(string(p.Flag.Files[0].Old), `"on"`) {
			t.Errorf("the flag is not on:\n%s", p.Flag.Files[0].New)
		}
	}
}
