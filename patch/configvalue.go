package patch

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/remediator/remediator/localize"
)

type configValue struct{}

// NewConfigValue returns the recipe that changes one value of a configuration file: it puts back what the
// change blamed for a suspect altered there, keeping the rest of the change, or enlarges a pool
// that the telemetry shows to be too small. Credentials, security switches and addresses
// outside are never touched.
func NewConfigValue() Recipe { return configValue{} }

func (configValue) Name() string { return "config-value@1" }
func (configValue) Rung() Rung   { return Config }

func (r configValue) Propose(in *Input, i int) ([]Option, []Left) {
	var options []Option
	var left []Left
	for _, c := range culprits(in, i) {
		o, l := r.putBack(in, i, c)
		options, left = append(options, o...), append(left, l...)
	}
	o, l := r.enlarge(in, i)
	return append(options, o...), append(left, l...)
}

// putBack offers the previous value of every related key that a change altered.
func (r configValue) putBack(in *Input, i int, c culprit) (options []Option, left []Left) {
	sha := shortSHA(c.change.SHA)
	leave := func(format string, args ...any) {
		left = append(left, Left{Rung: Config, Recipe: r.Name(), Why: fmt.Sprintf(format, args...)})
	}
	for _, f := range c.change.Files {
		if checkPath(f.Path) != nil || !isSettingsFile(f.Path) {
			continue
		}
		if k := KindOf(f.Path); k != ConfigFile {
			continue
		}
		altered, err := alteredSettings(in, f)
		if err != nil {
			leave("%s: %v", sha, err)
			continue
		}
		for _, a := range altered {
			place := fmt.Sprintf("%s:%d", safePath(f.Path), a.now.Line)
			if why := unfitToRestore(f.Path, a); why != "" {
				leave("%s: %s (%s) %s", sha, a.now.Dotted(), place, why)
				continue
			}
			class := settingClass(a.now)
			if class == "" || !relates(in.Suspects[i].Patterns, class) {
				leave("%s: %s (%s) has nothing to do with what is seen of the suspect (%s)", sha, a.now.Dotted(), place, patternNames(in.Suspects[i].Patterns))
				continue
			}
			options = append(options, valueOption(r.Name(), f.Path, a.now, a.before.Raw,
				fmt.Sprintf("Put %s back to %s", keyTitle(a.now), showValue(a.before)),
				fmt.Sprintf("%s; it changed %s, a %s, from %s to %s at %s", c.why, a.now.Dotted(), class, showValue(a.before), showValue(a.now), place)))
		}
	}
	return options, left
}

func valueOption(recipe, file string, now setting, to, title, why string) Option {
	path, _ := json.Marshal(now.Path) // strings always marshal
	return Option{
		ID:     "config-" + Slug(now.Name, '-', 40),
		Rung:   Config,
		Title:  title,
		Why:    why,
		Recipe: recipe,
		Params: map[string]string{"file": file, "key": string(path), "from": now.Raw, "to": to},
		Target: file + ":" + now.Dotted() + "=" + to,
		Size:   1,
	}
}

func (configValue) Draft(in *Input, o Option) (*Patch, error) {
	file := o.Params["file"]
	var path []string
	if err := json.Unmarshal([]byte(o.Params["key"]), &path); err != nil {
		return nil, fmt.Errorf("the option names no key: %w", err)
	}
	src, mode, err := ReadBase(in.Base, file)
	if err != nil {
		return nil, err
	}
	all, err := readSettings(file, src)
	if err != nil {
		return nil, err
	}
	key := strings.Join(path, "\x00")
	for _, s := range all {
		if s.Key() != key {
			continue
		}
		if s.Raw != o.Params["from"] {
			return nil, fmt.Errorf("%s:%d: %s is no longer what it was when the plan was made", safePath(file), s.Line, s.Dotted())
		}
		after, err := editSettings(file, src, []settingEdit{{s, o.Params["to"]}})
		if err != nil {
			return nil, err
		}
		p := &Patch{Option: o, Files: []FileEdit{{Path: file, Kind: ConfigFile, Mode: mode, Old: src, New: after}}}
		p.Summary = []string{fmt.Sprintf("Changes the value of %s in %s and nothing else.", s.Dotted(), safePath(file))}
		p.Risks = []string{"Takes effect where the service reads this file; an environment that overrides the value is not reached."}
		return p, nil
	}
	return nil, fmt.Errorf("%s holds no %s any more", safePath(file), safePath(strings.Join(path, ".")))
}

// alteration is one key with the value a change gave it and the one before.
type alteration struct {
	now    setting // in the base
	before setting
	added  bool // there was none before
}

// alteredSettings compares the base with the base from which the hunks of f are taken back. Hunks that no
// longer fit, because someone changed the lines again, are passed over as long as one fits.
func alteredSettings(in *Input, f localize.ChangedFile) ([]alteration, error) {
	hs, err := revertHunks(f.Path, f.Patch)
	if err != nil {
		return nil, err
	}
	if createsFile(hs) || deletesFile(hs) {
		return nil, fmt.Errorf("%s as a whole was added or removed; there are no previous values", safePath(f.Path))
	}
	src, _, err := ReadBase(in.Base, f.Path)
	if err != nil {
		return nil, err
	}
	now, err := readSettings(f.Path, src)
	if err != nil {
		return nil, err
	}
	var out []alteration
	var conflict error
	for k := range hs {
		old, err := reverseHunks(f.Path, src, hs[k:k+1])
		if err != nil {
			conflict = err
			continue
		}
		before, err := readSettings(f.Path, old)
		if err != nil {
			conflict = err
			continue
		}
		was := map[string]setting{}
		for _, s := range before {
			was[s.Key()] = s
		}
		for _, s := range now {
			switch b, ok := was[s.Key()]; {
			case !ok:
				out = append(out, alteration{now: s, added: true})
			case b.Raw != s.Raw:
				out = append(out, alteration{now: s, before: b})
			}
		}
	}
	if len(out) == 0 && conflict != nil {
		return nil, conflict
	}
	return out, nil
}
