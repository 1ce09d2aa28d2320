package patch

import (
	"io/fs"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
)

// Input is everything that planning and drafting may look at.
type Input struct {
	Base fs.FS // the repository at the commit the pull request starts from
	// Suspects are best first; Locations[i] are the places in Base that Suspects[i] points to,
	// best first.
	Suspects  []localize.Suspect
	Locations [][]codeindex.Location
	Graph     localize.Graph
	Symptom   localize.Symptom
	// Changes are the commits before the alert with their hunks; Ranked blames some of them.
	Changes []localize.Change
	Ranked  []localize.RankedChange
	Flags   []localize.FlagChange

	Services map[string]Service
	Provider string // feature-flag provider the repository uses: openfeature, env, ...
	FlagFile string // file the provider reads, relative to the root; "" if none
	Allowed  []Rung // rungs that configuration and flags of the command permit; none when empty
	Index    *codeindex.Index
	// Syntax checks sources in languages other than Go, which is checked by its own
	// parser; nil means that nothing can be said. A path it does not know is no error.
	Syntax func(path string, src []byte) error
}

// Service is what a recipe has to know of a service's configuration.
type Service struct {
	Paths    []string // globs it owns
	Language string
	Test     []string // command of its whole suite
	Env      map[string]string
}

// Recipe knows one way to mend one kind of failure. A recipe is deterministic.
type Recipe interface {
	// Name is the recipe's name and version, "go-retry-backoff@1".
	Name() string
	Rung() Rung
	// Propose looks whether the recipe fits suspect i. It returns either options to draft or
	// reasons why not; both empty means that the recipe has nothing to do with such a suspect.
	Propose(in *Input, i int) ([]Option, []Left)
	// Draft makes the patch of an option that this recipe proposed. An error means that
	// the code is not as Propose expected; it says what was found.
	Draft(in *Input, o Option) (*Patch, error)
}
