package patch

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// flagWindow is how long before the symptom a flag may have been turned on to be held against it. Flags
// are rolled out by people during a working day.
const flagWindow = 12 * time.Hour

// flagSlack lets a change count that is dated shortly after the symptom's first sight: clocks differ, and
// windows are cut at whole minutes.
const flagSlack = 5 * time.Minute

type flagOff struct{}

// NewFlagOff returns the recipe that turns off, in the repository's flag file, a feature flag that was
// turned on or up shortly before the symptom and that the suspect's code or service has to do
// with. One value changes; every other byte of the file stays.
func NewFlagOff() Recipe { return flagOff{} }

func (flagOff) Name() string { return "flag-off@1" }
func (flagOff) Rung() Rung   { return FlagOff }

func (r flagOff) Propose(in *Input, i int) ([]Option, []Left) {
	var options []Option
	var left []Left
	leave := func(flag, format string, args ...any) {
		left = append(left, Left{Rung: FlagOff, Recipe: r.Name(), Why: "flag " + showFlag(flag) + ": " + fmt.Sprintf(format, args...)})
	}
	for _, t := range turnedFlags(in) {
		if !t.up {
			if t.at.IsZero() || inFlagWindow(in, t.at) {
				leave(t.flag, "was turned off or down, not on; a person has to decide whether it belongs on again")
			}
			continue
		}
		if !inFlagWindow(in, t.at) {
			leave(t.flag, "was turned on at %s, not shortly before the symptom", t.at.UTC().Format("2006-01-02 15:04"))
			continue
		}
		relation := flagRelation(in, i, t)
		if relation == "" {
			// Another suspect may be the one it belongs to; only the first says so.
			if i == 0 && !slices.ContainsFunc(suspectIndexes(in)[1:], func(k int) bool { return flagRelation(in, k, t) != "" }) {
				leave(t.flag, "nothing ties it to a suspect: neither its service nor a mention in the code")
			}
			continue
		}
		file, change, err := findFlag(in, t)
		if err != nil {
			leave(t.flag, "%v", err)
			continue
		}
		when := ""
		if !t.at.IsZero() && !in.Symptom.From.IsZero() {
			when = fmt.Sprintf(" %s before the symptom", in.Symptom.From.Sub(t.at).Round(time.Minute).String())
			if t.at.After(in.Symptom.From) {
				when = " as the symptom began"
			}
		}
		options = append(options, Option{
			ID:     "flag-off-" + Slug(t.flag, '-', 50),
			Rung:   FlagOff,
			Title:  "Turn off flag " + showFlag(t.flag),
			Why:    fmt.Sprintf("it was turned on%s; %s", when, relation),
			Recipe: r.Name(),
			Params: map[string]string{"flag": t.flag, "file": file},
			Target: file + ":" + t.flag,
			Size:   len(change.edits),
		})
	}
	return options, left
}

func (r flagOff) Draft(in *Input, o Option) (*Patch, error) {
	at := slices.IndexFunc(turnedFlags(in), func(t turnedFlag) bool { return t.flag == o.Params["flag"] && t.up })
	if at < 0 {
		return nil, fmt.Errorf("no change turned the flag %s on; plan again with this evidence", showFlag(o.Params["flag"]))
	}
	file, change, err := findFlag(in, turnedFlags(in)[at])
	if err != nil {
		return nil, err
	}
	if file != o.Params["file"] {
		return nil, fmt.Errorf("the flag is in %s, not in %s; plan again", safePath(file), safePath(o.Params["file"]))
	}
	src, mode, err := ReadBase(in.Base, file)
	if err != nil {
		return nil, err
	}
	after, err := editSettings(file, src, change.edits)
	if err != nil {
		return nil, err
	}
	return &Patch{
		Option:  o,
		Files:   []FileEdit{{Path: file, Kind: FlagFile, Mode: mode, Old: src, New: after}},
		Summary: []string{fmt.Sprintf("Turns the flag %s off in %s: %s.", showFlag(o.Params["flag"]), safePath(file), change.words)},
		Risks:   []string{"Whoever relies on what the flag brought loses it until it is turned on again."},
	}, nil
}

// turnedFlag is a change of a flag, from the flag history or from a commit that edits the flag file.
type turnedFlag struct {
	flag    string
	service string
	at      time.Time
	up      bool
}

// turnedFlags lists the changes of flags, the latest of each flag, in order of time from the latest.
func turnedFlags(in *Input) []turnedFlag {
	var all []turnedFlag
	for _, f := range in.Flags {
		if f.Flag != "" && len(f.Flag) <= 200 {
			all = append(all, turnedFlag{f.Flag, f.Service, f.Time, turnedUp(f.Change)})
		}
	}
	files := flagFiles(in)
	for _, c := range in.Changes {
		for _, f := range c.Files {
			if slices.Contains(files, f.Path) {
				all = append(all, committedFlags(in, c, f)...)
			}
		}
	}
	slices.SortStableFunc(all, func(a, b turnedFlag) int { return b.at.Compare(a.at) })
	var out []turnedFlag
	for _, t := range all {
		if !slices.ContainsFunc(out, func(o turnedFlag) bool { return o.flag == t.flag }) {
			out = append(out, t)
		}
	}
	return out
}

// committedFlags reads the flags that a commit changed in the flag file.
func committedFlags(in *Input, c localize.Change, f localize.ChangedFile) []turnedFlag {
	altered, err := alteredSettings(in, f)
	if err != nil {
		return nil
	}
	var out []turnedFlag
	for _, a := range altered {
		flag := flagOfPath(a.now)
		if flag == "" || a.added {
			continue
		}
		up := turnedUp(a.before.Text + "->" + a.now.Text)
		if last := a.now.Path[len(a.now.Path)-1]; last == "defaultVariant" || last == "variation" {
			// Variants have names of their own; a change away from an off-like one is up.
			up = !offWord(a.now.Text)
		}
		out = append(out, turnedFlag{flag, c.Service, c.Time, up})
	}
	return out
}

// flagOfPath guesses the flag that a setting in a flag file belongs to.
func flagOfPath(s setting) string {
	for k, part := range s.Path {
		if (part == "flags" || part == "features" || part == "featureFlags" || part == "feature_flags") && k+1 < len(s.Path) && !strings.HasPrefix(s.Path[k+1], "#") {
			return s.Path[k+1]
		}
	}
	if len(s.Path) > 0 && !strings.HasPrefix(s.Path[0], "#") {
		return s.Path[0]
	}
	return ""
}

var flagStep = regexp.MustCompile(`\s*(?:->|→|=>|\bto\b)\s*`)

// turnedUp reads what a flag history writes: "on", "off->on", "10% -> 50%", "enabled".
func turnedUp(change string) bool {
	steps := flagStep.Split(strings.ToLower(strings.TrimSpace(change)), -1)
	to := strings.TrimSpace(steps[len(steps)-1])
	if n, ok := percent(to); ok {
		if len(steps) > 1 {
			if from, ok := percent(steps[len(steps)-2]); ok {
				return n > from
			}
		}
		return n > 0
	}
	return !offWord(to) && to != ""
}

func percent(s string) (float64, bool) {
	n, err := strconv.ParseFloat(strings.TrimSuffix(strings.TrimSpace(s), "%"), 64)
	return n, err == nil
}

// offWord reports the words that mean off.
func offWord(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "off", "false", "disabled", "disable", "no", "none", "0", "0%", "control", "inactive", "archived", "deleted", "removed", "killed", "null":
		return true
	}
	return false
}

func inFlagWindow(in *Input, at time.Time) bool {
	if at.IsZero() || in.Symptom.From.IsZero() {
		return true // the input holds changes from before the alert only
	}
	return !at.After(in.Symptom.From.Add(flagSlack)) && in.Symptom.From.Sub(at) <= flagWindow
}

// flagFiles lists the files that may hold flags: the configured one, or those whose name says so.
func flagFiles(in *Input) []string {
	if in.FlagFile != "" {
		return []string{in.FlagFile}
	}
	var out []string
	for _, f := range settingsFiles(in.Base) {
		name := strings.ToLower(path.Base(f))
		if strings.Contains(name, "flag") || strings.Contains(name, "feature") || strings.Contains(name, "toggle") || strings.HasPrefix(name, ".env") || strings.HasSuffix(name, ".env") {
			out = append(out, f)
		}
	}
	return out
}

// findFlag finds the one file that turns the flag on and the edit that turns it off.
func findFlag(in *Input, t turnedFlag) (string, flagChange, error) {
	var file string
	var change flagChange
	var why error
	for _, f := range flagFiles(in) {
		src, _, err := ReadBase(in.Base, f)
		if err != nil {
			why = err
			continue
		}
		all, err := readSettings(f, src)
		if err != nil {
			why = err
			continue
		}
		c, err := turnFlagOff(all, t.flag)
		if errors.Is(err, errFlagElsewhere) {
			continue
		}
		if err != nil {
			why = fmt.Errorf("%s: %w", safePath(f), err)
			continue
		}
		if _, err := editSettings(f, src, c.edits); err != nil {
			why = fmt.Errorf("%s: %w", safePath(f), err)
			continue
		}
		if file != "" {
			return "", flagChange{}, fmt.Errorf("it stands in %s and in %s; name the one that counts as flags.file", safePath(file), safePath(f))
		}
		file, change = f, c
	}
	switch {
	case file != "":
		return file, change, nil
	case why != nil:
		return "", flagChange{}, why
	}
	return "", flagChange{}, fmt.Errorf("it is in no file of the repository; %s", byHand(in.Provider, t.flag))
}

// byHand says how a person turns a flag off that lives in a service.
func byHand(provider, flag string) string {
	switch strings.ToLower(provider) {
	case "launchdarkly":
		return "turn its targeting off in LaunchDarkly, or run: ldcli flags toggle-off --flag " + showFlag(flag) + " --environment ENV --project PROJECT"
	case "unleash":
		return "disable it for the environment in Unleash's admin view, or by its Admin API: POST /api/admin/projects/PROJECT/features/" + showFlag(flag) + "/environments/ENV/off"
	case "env", "":
		return "turn it off where the service's environment is set, or name the file as flags.file"
	}
	return "turn it off where " + safeSubject(provider) + " keeps it"
}

// showFlag makes a flag's name, which comes from outside, fit for a message.
func showFlag(flag string) string {
	out := strings.Map(func(r rune) rune {
		if r < 0x80 && (nameByte(byte(r)) || r == '.' || r == ':' || r == '/') {
			return r
		}
		return '?'
	}, flag)
	if len(out) > 80 {
		out = out[:80] + "..."
	}
	return out
}
