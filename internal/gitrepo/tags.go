package gitrepo

import (
	"context"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// TagRange says which tags are read as roll-outs.
type TagRange struct {
	Since time.Time // when the tag was made, inclusive; zero for no bound
	Until time.Time
	// Services are the names of the repository's services. A tag without one's name in it was rolled out to all of them.
	Services []string
	// Match are patterns of path.Match for the whole name of a tag; one that fits counts, whatever it looks like. Without
	// any, those count that end in a version or a date.
	Match []string
	Max   int // the newest so many tags; 0 means 200
}

// Tags is what tags say of roll-outs.
type Tags struct {
	Deploys []localize.Deploy // oldest first
	Notes   []string          // what was left out and why
}

// maxTags bounds how many tags are looked at.
const maxTags = 20_000

// Tags reads tags as roll-outs. An annotated tag was made when its tagger says; a lightweight one has no time of its own,
// so that of its commit stands in, which may be long before. In a repository of several services a tag names its service
// in front of the version, as in "cart/v1.2.3", "cart@1.2.3" and "cart-v1.2.3". Versions that are marked as not for release
// ("1.2.3-rc.1", semver.org, point 9) count only where Match names them.
func (r *Repo) Tags(ctx context.Context, in TagRange) (Tags, error) {
	var t Tags
	for _, pattern := range in.Match {
		if _, err := path.Match(pattern, ""); err != nil {
			return t, fmt.Errorf("pattern of tags %q: %w; escape brackets by a backslash", pattern, err)
		}
	}
	limit := in.Max
	if limit <= 0 {
		limit = defaultCommits
	}
	out, err := r.git.run(ctx, r.path, nil, "for-each-ref", "--sort=-creatordate", "--count="+strconv.Itoa(maxTags),
		"--format=%(refname:strip=2)%00%(objecttype)%00%(objectname)%00%(*objecttype)%00%(*objectname)%00%(creatordate:unix)", "refs/tags")
	if err != nil {
		return t, err
	}
	var found []taggedVersion
	unreleased, looked := 0, 0
	for text := range strings.Lines(string(out)) {
		looked++
		tag, ok := r.parseTag(ctx, strings.TrimSuffix(text, "\n"))
		if !ok || !in.Since.IsZero() && tag.time.Before(in.Since) || !in.Until.IsZero() && tag.time.After(in.Until) {
			continue
		}
		chosen := slices.ContainsFunc(in.Match, func(p string) bool { ok, _ := path.Match(p, tag.name); return ok })
		v, isVersion := splitTag(tag.name, in.Services)
		switch {
		case !chosen && (len(in.Match) > 0 || !isVersion):
			continue
		case !chosen && v.pre != "":
			unreleased++
			continue
		case !isVersion:
			v = taggedVersion{text: tag.name}
		}
		v.tag = tag
		found = append(found, v)
	}
	if looked >= maxTags {
		t.Notes = append(t.Notes, fmt.Sprintf("only the newest %d tags were looked at", maxTags))
	}
	if unreleased > 0 {
		t.Notes = append(t.Notes, fmt.Sprintf("%d tags of versions that are not for release are left out", unreleased))
	}
	slices.SortStableFunc(found, taggedVersion.compare)
	if len(found) > limit {
		t.Notes = append(t.Notes, fmt.Sprintf("%d tags were made in that time; the newest %d are kept", len(found), limit))
		found = found[len(found)-limit:]
	}
	for _, v := range found {
		services := []string{v.service}
		if v.service == "" && len(in.Services) > 0 {
			services = in.Services
		}
		for _, s := range services {
			t.Deploys = append(t.Deploys, localize.Deploy{Time: v.tag.time, Service: s, SHA: v.tag.commit, Version: v.text})
		}
	}
	return t, nil
}

// tag is a tag of a commit.
type tag struct {
	name, commit string
	time         time.Time
}

// parseTag reads a line of for-each-ref. ok is false for tags of something else than a commit.
func (r *Repo) parseTag(ctx context.Context, text string) (tag, bool) {
	f := strings.Split(text, "\x00")
	if len(f) != 6 {
		return tag{}, false
	}
	seconds, err := strconv.ParseInt(f[5], 10, 64)
	if err != nil {
		return tag{}, false
	}
	t := tag{name: strings.ToValidUTF8(f[0], "\ufffd"), time: time.Unix(seconds, 0).UTC()}
	switch {
	case f[1] == "commit":
		t.commit = f[2]
	case f[3] == "commit":
		t.commit = f[4]
	case f[3] == "tag": // a tag of a tag, which older versions of git follow by one step only
		if t.commit, err = r.git.text(ctx, r.path, "rev-parse", "--verify", "--quiet", f[2]+"^{commit}"); err != nil {
			return tag{}, false
		}
	}
	return t, fullHash.MatchString(t.commit)
}

// taggedVersion is a tag taken apart.
type taggedVersion struct {
	service string
	text    string // the version as it is written
	numbers []uint64
	pre     string // what marks it as not for release
	tag     tag
}

// compare orders by time, and versions that were tagged in the same second by what they are (semver.org, point 11, as far
// as releases go).
func (v taggedVersion) compare(w taggedVersion) int {
	if c := v.tag.time.Compare(w.tag.time); c != 0 {
		return c
	}
	if c := slices.Compare(v.numbers, w.numbers); c != 0 {
		return c
	}
	switch {
	case v.pre != "" && w.pre == "":
		return -1
	case v.pre == "" && w.pre != "":
		return 1
	}
	return strings.Compare(v.tag.name, w.tag.name)
}

// version is what a tag's name ends in when it names a version: numbers with dots, a date, or a number behind a v; then
// what semver.org allows behind them.
var version = regexp.MustCompile(`(?:^|[/@_-])(v?([0-9]+(?:\.[0-9]+){1,3}|20[0-9]{2}-[0-9]{2}-[0-9]{2}(?:[.-][0-9]+)?|20[0-9]{6}(?:[.-][0-9]+)?)|v([0-9]+))` +
	`(?:\.(?:Final|RELEASE|GA))?(?:-([0-9A-Za-z][0-9A-Za-z.-]*))?(?:\+[0-9A-Za-z.-]+)?$`)

// general are words in front of a version that name no service.
var general = regexp.MustCompile(`(?i)^(?:|v|ver|version|rel|releases?|deploy(?:ments?|ed)?|prod(?:uction)?|live|builds?|tags?)$`)

// splitTag takes the name of a tag apart; ok is false where it does not end in a version.
func splitTag(name string, services []string) (v taggedVersion, ok bool) {
	if len(name) > 300 {
		return v, false
	}
	m := version.FindStringSubmatchIndex(name)
	if m == nil {
		return v, false
	}
	part := func(i int) string {
		if m[2*i] < 0 {
			return ""
		}
		return name[m[2*i]:m[2*i+1]]
	}
	v.text, v.pre = strings.TrimPrefix(name[m[2]:], "v"), part(4)
	for digits := range strings.FieldsFuncSeq(part(2)+part(3), func(r rune) bool { return r == '.' || r == '-' }) {
		n, err := strconv.ParseUint(digits, 10, 64)
		if err != nil {
			return v, false
		}
		v.numbers = append(v.numbers, n)
	}
	v.service = taggedService(name[:m[0]], services)
	return v, true
}

// taggedService is the service that stands in front of a version: one that is known by the whole of it or by its last part,
// else the whole of it as it is. Words that say only what a tag is for name none.
func taggedService(prefix string, services []string) string {
	prefix = strings.Trim(prefix, "/@_-")
	for _, candidate := range []string{prefix, path.Base(prefix)} {
		for _, s := range services {
			if strings.EqualFold(s, candidate) {
				return s
			}
		}
	}
	head, rest, found := strings.Cut(prefix, "/")
	switch {
	case general.MatchString(prefix):
		return ""
	case found && general.MatchString(head):
		return taggedService(rest, services)
	}
	return prefix
}
