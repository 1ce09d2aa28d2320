package workbench

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/secrets"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// The bounds of one case: more suspects than these are noise to a reader, and every option
// costs a build and two replays.
const (
	maxSuspects = 5
	maxOptions  = 6
)

// LoadConfig reads the configuration from the base tree. Where the repository has none, it is
// proposed from what the tree holds, and the notes say what was assumed.
func (r *Repository) LoadConfig() (notes []string, err error) {
	c, err := config.Load(r.tree)
	if errors.Is(err, fs.ErrNotExist) {
		var text []byte
		text, notes, err = config.Init(r.tree)
		if err != nil {
			return nil, fmt.Errorf("the repository has no %s and none could be proposed: %w", config.File, err)
		}
		if c, err = config.Parse(text); err != nil {
			return nil, fmt.Errorf("the proposed configuration is not valid: %w", err)
		}
		notes = append([]string{"the repository has no " + config.File + "; working with what `remediator config init` proposes"}, notes...)
	}
	if err != nil {
		return nil, err
	}
	r.config = c
	return notes, nil
}

// Config is what LoadConfig read.
func (r *Repository) Config() config.Config { return r.config }

// Settings turns the configuration into the pipeline's settings. golden, where not nil, replaces
// the golden sets that the configuration names.
func Settings(c config.Config, version string, golden fs.FS) remedy.Settings {
	s := remedy.Settings{
		Tool: "remediator " + version, Version: version, Committer: author.Email, Services: map[string]remedy.Service{}, Provider: c.Flags.Provider, FlagFile: c.Flags.File,
		Redact:   replay.NewRedactor(&secrets.Finder{}).Text,
		Autonomy: remedy.Autonomy(c.Autonomy), MaxSuspects: maxSuspects, MaxOptions: maxOptions, Now: time.Now,
	}
	if s.Autonomy == "" {
		s.Autonomy = config.DefaultAutonomy
	}
	for _, r := range c.Ladder {
		s.Allowed = append(s.Allowed, patch.Rung(r))
	}
	if c.Ladder == nil {
		s.Allowed = patch.Rungs()
	}
	for name, svc := range c.Services {
		peers := map[string]string{}
		for _, d := range svc.Dependencies {
			peers[d.Name] = d.Name
		}
		s.Services[name] = remedy.Service{
			Service: patch.Service{Paths: svc.Paths, Language: svc.Language, Test: svc.Test, Env: svc.Env},
			Owners:  svc.Owners, Run: len(svc.Run) > 0, Peers: peers,
		}
	}
	s.Golden = func(service string, base fs.FS) ([]*replay.Set, error) {
		if golden != nil {
			return setsOf(golden, service)
		}
		paths := c.Services[service].Golden
		if len(paths) == 0 {
			return nil, nil
		}
		return replay.LoadSets(base, paths...)
	}
	return s
}

// setsOf picks a service's sets from a directory that may hold those of others.
func setsOf(dir fs.FS, service string) ([]*replay.Set, error) {
	all, err := replay.LoadSets(dir, ".")
	if err != nil {
		return nil, err
	}
	var out []*replay.Set
	for _, s := range all {
		if s.Service == service {
			out = append(out, s)
		}
	}
	return out, nil
}
