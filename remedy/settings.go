package remedy

import (
	"io/fs"
	"time"

	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/replay"
)

// Settings are what the configuration and the command line decided for one case.
type Settings struct {
	Tool    string // name and version
	Version string
	// Committer is the address the commits are made under, for the file of allowed signers.
	Committer string
	// Redact takes secrets and personal data out of a text before it is written anywhere.
	Redact   func(string) string
	Services map[string]Service
	Provider string // feature-flag provider of the repository
	FlagFile string
	Allowed  []patch.Rung
	Autonomy Autonomy
	// Round counts how often the incident came back after its fix was merged; it is part of the branch's name.
	Round int
	// MaxSuspects bounds how many suspects the ladder is built for, MaxOptions how many
	// options are drafted and proved before the case is declined.
	MaxSuspects, MaxOptions int
	// Golden loads the golden trace sets of a service from the base tree; none is not an error.
	Golden func(service string, base fs.FS) ([]*replay.Set, error)
	Now    func() time.Time
}

// Service is what the pipeline has to know of one deployable.
type Service struct {
	patch.Service
	Owners []string
	Run    bool // configuration says how to start it
	// Peers maps the name a dependency has in telemetry to its name in the configuration.
	Peers map[string]string
}
