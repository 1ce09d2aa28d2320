package patch

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// flagChange is the edit that turns a flag off, with words for it.
type flagChange struct {
	edits []settingEdit
	words string
}

// errFlagElsewhere says that a file does not hold the flag.
var errFlagElsewhere = errors.New("the flag is not in this file")

// turnFlagOff finds out how a file spells flags and what has to change to turn one off.
func turnFlagOff(all []setting, flag string) (flagChange, error) {
	at, mine := flagSettings(all, flag)
	if len(mine) == 0 {
		return flagChange{}, errFlagElsewhere
	}
	has := func(parts ...string) bool { _, ok := pick(mine, at, parts...); return ok }
	under := func(part string) bool {
		return slices.ContainsFunc(mine, func(s setting) bool { return len(s.Path) > at+1 && s.Path[at] == part })
	}
	switch {
	case has("offVariation") || under("fallthrough") || has("fallthrough"):
		return flagChange{}, fmt.Errorf("this is an export from LaunchDarkly, the flag itself lives there; %s", byHand("launchdarkly", flag))
	case under("strategies") || under("environments"):
		return flagChange{}, fmt.Errorf("this is an export from Unleash, the flag itself lives there; %s", byHand("unleash", flag))
	case has("defaultVariant") || under("variants"):
		return flagdOff(mine, at)
	case under("variations") || under("defaultRule"):
		return goFeatureFlagOff(mine, at)
	}
	return plainFlagOff(mine, at)
}

// flagSettings returns the settings of a flag and the depth at which they begin below it. A flag is a key
// of its name, or an element of a list with that name.
func flagSettings(all []setting, flag string) (at int, mine []setting) {
	prefix := ""
	for _, s := range all {
		for k, part := range s.Path {
			if part == flag && !(k > 0 && isFlagInside(s.Path[k-1])) {
				at, prefix = k+1, strings.Join(s.Path[:k+1], "\x00")
				break
			}
		}
		if prefix != "" {
			break
		}
		if n := len(s.Path); n > 1 && s.Text == flag && strings.HasPrefix(s.Path[n-2], "#") && (s.Path[n-1] == "name" || s.Path[n-1] == "key" || s.Path[n-1] == "id" || s.Path[n-1] == "flag") {
			at, prefix = n-1, strings.Join(s.Path[:n-1], "\x00")
			break
		}
	}
	if prefix == "" {
		return environmentFlag(all, flag)
	}
	for _, s := range all {
		if key := s.Key(); key == prefix || strings.HasPrefix(key, prefix+"\x00") {
			mine = append(mine, s)
		}
	}
	return at, mine
}

// isFlagInside reports keys below which a flag's name is a variant or a reference, not the flag.
func isFlagInside(key string) bool {
	return key == "variants" || key == "variations" || key == "percentage" || key == "prerequisites"
}

// environmentFlag finds the variable that carries a flag: its name in capitals, with a usual prefix.
func environmentFlag(all []setting, flag string) (int, []setting) {
	want := normalName(flag)
	if want == "" {
		return 0, nil
	}
	for _, prefix := range []string{"", "feature", "flag", "featureflag", "enable", "ff", "features", "flags"} {
		var found []setting
		for _, s := range all {
			if s.Name == strings.ToUpper(s.Name) && normalName(s.Name) == prefix+want {
				found = append(found, s)
			}
		}
		if len(found) > 0 {
			return len(found[0].Path), found
		}
	}
	return 0, nil
}

func pick(mine []setting, at int, parts ...string) (setting, bool) {
	for _, s := range mine {
		if len(s.Path) == at+len(parts) && slices.Equal(s.Path[at:], parts) {
			return s, true
		}
	}
	return setting{}, false
}

// flagdOff turns a flag of a flagd definition off (flagd.dev/schema/v0/flags.json): the default variant becomes the
// off one where nothing targets, the on buckets of a fractional rule get no weight, and any other targeting
// is cut off by disabling the flag, which makes callers take their own default.
func flagdOff(mine []setting, at int) (flagChange, error) {
	state, hasState := pick(mine, at, "state")
	if hasState && state.Text == "DISABLED" {
		return flagChange{}, errors.New("the flag is disabled already")
	}
	off, err := offVariant(mine, at, "variants")
	targeted := slices.ContainsFunc(mine, func(s setting) bool { return len(s.Path) > at && s.Path[at] == "targeting" })
	current, hasDefault := pick(mine, at, "defaultVariant")
	if err == nil && !targeted && hasDefault {
		if current.Text == off {
			return flagChange{}, errors.New("the flag serves its off variant already")
		}
		return oneFlagEdit(current, off, "the default variant")
	}
	if err == nil && targeted && (!hasDefault || current.Text == off) {
		if edits := fractionalOff(mine, at, off); len(edits) > 0 {
			return flagChange{edits, "the weight of every variant but " + showFlag(off) + " becomes 0"}, nil
		}
	}
	if hasState {
		return oneFlagEdit(state, "DISABLED", "the state")
	}
	if err != nil {
		return flagChange{}, err
	}
	return flagChange{}, errors.New("its targeting has a form that only a person can turn off")
}

// fractionalOff takes the weight from the buckets [variant, weight] that do not serve off, if the off bucket has
// a weight to take over; nil if the targeting is anything else.
func fractionalOff(mine []setting, at int, off string) []settingEdit {
	var edits []settingEdit
	heir := false
	for k, s := range mine {
		if len(s.Path) <= at || s.Path[at] != "targeting" {
			continue
		}
		n := len(s.Path)
		if n != at+4 || s.Path[at+1] != "fractional" {
			if n > at+2 && s.Path[at+1] == "fractional" && s.Path[at+2] == "#0" {
				continue // the property to bucket by
			}
			return nil
		}
		if s.Path[n-1] != "#1" {
			continue
		}
		weight, err := strconv.ParseFloat(s.Text, 64)
		if k == 0 || err != nil {
			return nil
		}
		switch variant := mine[k-1].Text; {
		case variant == off:
			heir = weight > 0
		case weight != 0:
			edits = append(edits, settingEdit{s, "0"})
		}
	}
	if !heir {
		return nil
	}
	return edits
}

// offVariant is the one variant that means off: false by value, or off by name.
func offVariant(mine []setting, at int, group string) (string, error) {
	var byValue, byName []string
	for _, s := range mine {
		if len(s.Path) != at+2 || s.Path[at] != group {
			continue
		}
		if s.Text == "false" || s.Text == "0" {
			byValue = append(byValue, s.Path[at+1])
		}
		if offWord(s.Path[at+1]) {
			byName = append(byName, s.Path[at+1])
		}
	}
	switch {
	case len(byValue) == 1:
		return byValue[0], nil
	case len(byName) == 1:
		return byName[0], nil
	}
	return "", errors.New("none of its variants, or more than one, means off; a person has to choose")
}

// goFeatureFlagOff turns a flag of GO Feature Flag off: its default rule serves the off variation, or all
// of its percentage.
func goFeatureFlagOff(mine []setting, at int) (flagChange, error) {
	off, err := offVariant(mine, at, "variations")
	if err != nil {
		return flagChange{}, err
	}
	if d, ok := pick(mine, at, "disable"); ok && d.Text == "false" {
		return oneFlagEdit(d, "true", "the switch that disables it")
	}
	if slices.ContainsFunc(mine, func(s setting) bool { return len(s.Path) > at && s.Path[at] == "targeting" }) {
		return flagChange{}, errors.New("it has targeting rules beside its default; add disable: true by hand")
	}
	if v, ok := pick(mine, at, "defaultRule", "variation"); ok {
		if v.Text == off {
			return flagChange{}, errors.New("the flag serves its off variation already")
		}
		return oneFlagEdit(v, off, "the default rule's variation")
	}
	var edits []settingEdit
	heir := false
	for _, s := range mine {
		if len(s.Path) != at+3 || s.Path[at] != "defaultRule" || s.Path[at+1] != "percentage" {
			continue
		}
		switch {
		case s.Path[at+2] == off:
			heir = true
			if s.Text != "100" {
				edits = append(edits, settingEdit{s, sameQuotes(s.Raw, "100")})
			}
		case s.Text != "0":
			edits = append(edits, settingEdit{s, sameQuotes(s.Raw, "0")})
		}
	}
	if !heir || len(edits) == 0 {
		return flagChange{}, errors.New("its default rule has a form that only a person can turn off")
	}
	return flagChange{edits, "the percentage goes to the variation " + showFlag(off)}, nil
}

// plainFlagOff handles a boolean, a percentage, an on/off word, or an object with one of these.
func plainFlagOff(mine []setting, at int) (flagChange, error) {
	if len(mine) == 1 && len(mine[0].Path) == at {
		return valueOff(mine[0], "its value")
	}
	for _, name := range []string{"enabled", "enable", "on", "active", "value", "default", "state", "status", "rollout", "percentage", "percent", "rolloutPercentage", "rollout_percentage", "weight"} {
		if s, ok := pick(mine, at, name); ok {
			c, err := valueOff(s, name)
			if err == nil || !errors.Is(err, errNotSwitch) {
				return c, err
			}
		}
	}
	if len(mine) > 1 && len(mine[0].Path) == at {
		return flagChange{}, errors.New("it stands in the file more than once")
	}
	return flagChange{}, errors.New("it has no value that this tool knows to be a switch")
}

var errNotSwitch = errors.New("its value is no switch")

// valueOff writes the opposite of an on-like value in the same spelling.
func valueOff(s setting, what string) (flagChange, error) {
	off := map[string]string{"true": "false", "on": "off", "yes": "no", "enabled": "disabled", "active": "inactive", "y": "n", "t": "f"}
	lower := strings.ToLower(s.Text)
	if offWord(s.Text) {
		return flagChange{}, errors.New("the flag is off already")
	}
	to, ok := off[lower]
	switch {
	case ok && s.Text == strings.ToUpper(s.Text):
		to = strings.ToUpper(to)
	case ok && s.Text != lower:
		to = strings.ToUpper(to[:1]) + to[1:]
	case !ok:
		n, isPercent := percent(s.Text)
		if !isPercent || n < 0 || n > 100 {
			return flagChange{}, errNotSwitch
		}
		to = "0"
		if strings.HasSuffix(s.Text, "%") {
			to = "0%"
		}
	}
	return oneFlagEdit(s, to, what)
}

func oneFlagEdit(s setting, to, what string) (flagChange, error) {
	if strings.ContainsAny(to, "\"'\\\n") || to == "" {
		return flagChange{}, errors.New("the value to write needs quoting that only a person should choose")
	}
	raw := sameQuotes(s.Raw, to)
	if raw == to && s.Raw == s.Text && (to == "off" || to == "no" || to == "n") && s.Text != "on" && s.Text != "yes" && s.Text != "y" {
		raw = `"` + to + `"` // plain off and no are booleans to YAML 1.1
	}
	return flagChange{[]settingEdit{{s, raw}}, fmt.Sprintf("%s goes from %s to %s", what, showFlag(s.Text), showFlag(to))}, nil
}
