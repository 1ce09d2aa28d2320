package config

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// proposal is one service that was found, with where each part comes from.
type proposal struct {
	name     string
	dir      string // what the service owns first of all
	service  Service
	comments map[string]string // key -> how it was found, or what to check
}

func (p *proposal) comment(key, text string) {
	if p.comments == nil {
		p.comments = map[string]string{}
	}
	p.comments[key] = text
}

// Init looks at a repository and proposes a configuration for it: services with their paths and
// commands, ports, health checks, dependencies and flags. It only reads. What was guessed carries a
// comment, what could not be found a note. The text is a valid configuration.
func Init(fsys fs.FS) (text []byte, notes []string, err error) {
	s, err := newSurvey(fsys)
	if err != nil {
		return nil, nil, fmt.Errorf("look at the repository: %w", err)
	}
	var found []*proposal
	found = append(found, s.goServices()...)
	found = append(found, s.pythonServices()...)
	found = append(found, s.nodeServices()...)
	found = append(found, s.javaServices()...)
	if len(found) == 0 {
		return nil, s.notes, errors.New("no service was recognised: there is no main package of Go, no Python entry point, no package.json with a start script, " +
			"no Maven or Gradle module; write " + File + " by hand, services need paths and test")
	}
	composed := s.compose()
	for _, p := range found {
		s.hints(p, composed)
	}
	distinct(found)
	slices.SortFunc(found, func(a, b *proposal) int { return strings.Compare(a.name, b.name) })
	flags := s.flags()
	text = render(found, flags)
	if _, err := Parse(text); err != nil {
		return nil, s.notes, fmt.Errorf("what was found makes no valid configuration: %w", err)
	}
	return text, s.notes, nil
}

var notInName = regexp.MustCompile(`[^A-Za-z0-9._-]+`)

// distinct gives every service a valid name of its own.
func distinct(found []*proposal) {
	count := map[string]int{}
	for _, p := range found {
		p.name = strings.Trim(notInName.ReplaceAllString(p.name, "-"), "-._")
		if p.name == "" {
			p.name = "service"
		}
		count[p.name]++
	}
	taken := map[string]bool{}
	for _, p := range found {
		if count[p.name] > 1 {
			if dir := strings.Trim(notInName.ReplaceAllString(p.dir, "-"), "-._"); dir != "" {
				p.name = dir
			}
		}
		for base, n := p.name, 2; taken[p.name]; n++ {
			p.name = base + "-" + strconv.Itoa(n)
		}
		taken[p.name] = true
	}
}

// pathsOf is the pattern for everything in a directory.
func pathsOf(dir string) string {
	if dir == "." {
		return "**"
	}
	return dir + "/**"
}

// render writes the configuration with its comments.
func render(found []*proposal, flags foundFlags) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# %s: what remediator may know and do in this repository.\n", File)
	b.WriteString("# Proposed by `remediator config init`; check it with `remediator config validate`.\n\n")
	b.WriteString("# Names are those that telemetry carries as service.name.\nservices:\n")
	for _, p := range found {
		p.render(&b)
	}
	b.WriteString("\nflags:\n")
	comment := ""
	if flags.why != "" {
		comment = "  # " + flags.why
	}
	fmt.Fprintf(&b, "  provider: %s%s\n", flags.provider, comment)
	if flags.file != "" {
		fmt.Fprintf(&b, "  file: %s\n", quote(flags.file))
	}
	fmt.Fprintf(&b, `
# Rungs that may be tried, cheapest first, and the most a proposal may become
# (report, branch, draft, ready). Nothing is written unless the command says so.
ladder: [%s]
autonomy: %s
# autonomy_for:
#   - {severities: [minor, unknown], autonomy: report}

# Severities that wait for a person before anything is proposed; [] for none.
approvals: [%s]

# Bounds of what is written into this repository; critical incidents may pass them.
limits: {open_pull_requests: %d, open_per_service: %d, pull_requests_per_hour: %d, critical_bypass: true}

# A local model server that speaks the OpenAI protocol; the recipes work without one.
# model: {url: "http://127.0.0.1:11434/v1", name: qwen2.5-coder}

# Bounds of what candidate code may use.
sandbox:
  timeout: 10m
  memory: %s
  processes: %d
`, strings.Join(rungs, ", "), DefaultAutonomy, strings.Join(defaultApprovals, ", "),
		DefaultOpen, DefaultOpenPerService, DefaultPerHour, DefaultMemory, DefaultProcesses)
	return b.Bytes()
}

func (p *proposal) render(b *bytes.Buffer) {
	s := p.service
	line := func(indent int, key, value string) {
		for text := range strings.SplitSeq(p.comments[key], "\n") {
			if text != "" {
				fmt.Fprintf(b, "%s# %s\n", strings.Repeat(" ", indent), text)
			}
		}
		fmt.Fprintf(b, "%s%s: %s\n", strings.Repeat(" ", indent), key, value)
	}
	fmt.Fprintf(b, "  %s:\n", quote(p.name))
	line(4, "paths", list(s.Paths))
	if s.Language != "" {
		line(4, "language", s.Language)
	}
	for _, c := range []struct {
		key     string
		command Command
	}{{"fetch", s.Fetch}, {"build", s.Build}, {"test", s.Test}, {"run", s.Run}} {
		if len(c.command) > 0 {
			line(4, c.key, list(c.command))
		}
	}
	if s.Port > 0 {
		line(4, "port", strconv.Itoa(s.Port))
	}
	if s.Health != "" {
		line(4, "health", quote(s.Health))
	}
	if len(s.Env) > 0 {
		var pairs []string
		for _, name := range slices.Sorted(maps.Keys(s.Env)) {
			pairs = append(pairs, name+": "+quote(s.Env[name]))
		}
		line(4, "env", "{"+strings.Join(pairs, ", ")+"}")
	}
	if len(s.Golden) > 0 {
		line(4, "golden", list(s.Golden))
	}
	if len(s.Dependencies) > 0 {
		line(4, "dependencies", "")
		for _, d := range s.Dependencies {
			fmt.Fprintf(b, "      - {name: %s, env: %s, port: %d, value: %s}\n", quote(d.Name), quote(d.Env), d.Port, quote(d.Value))
		}
	}
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]*$`)

// quote writes text so that every YAML reader takes it as text.
func quote(s string) string {
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off", "true", "false", "null":
		return strconv.Quote(s)
	}
	if plain.MatchString(s) {
		return s
	}
	return strconv.Quote(s)
}

func list(values []string) string {
	quoted := make([]string, len(values))
	for i, v := range values {
		quoted[i] = quote(v)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

// base is a directory's own name, or what the repository's root shall be called.
func base(dir, root string) string {
	if dir == "." {
		return root
	}
	return path.Base(dir)
}
