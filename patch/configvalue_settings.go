package patch

import (
	"bytes"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// setting is one scalar of a configuration file with the place where it is written.
type setting struct {
	Path []string // keys from the root; "#2" is the third element of a list
	Name string   // what people call it: its key, or the name beside it in a name/value pair
	Text string   // the value
	Raw  string   // the value as it is written, quotes included
	From int      // byte offsets of Raw
	To   int
	Line int // 1-based
}

// Key joins the path for comparison; keys cannot hold a NUL.
func (s setting) Key() string { return strings.Join(s.Path, "\x00") }

// Dotted is the path as people write it.
func (s setting) Dotted() string { return safePath(strings.Join(s.Path, ".")) }

const (
	maxSettingsFile = 1 << 20
	maxSettings     = 20_000
	maxSettingDepth = 60
)

var errTooManySettings = fmt.Errorf("more than %d values or nested deeper than %d", maxSettings, maxSettingDepth)

// settingsFormats are the readers by kind of file; each returns scalars in the order of the file.
func settingsReader(file string) func([]byte) ([]setting, error) {
	base := strings.ToLower(path.Base(file))
	switch ext := path.Ext(base); {
	case base == ".env" || strings.HasPrefix(base, ".env.") || ext == ".env":
		return readEnvSettings
	case ext == ".json" || ext == ".jsonc" || ext == ".flagd":
		return readJSONSettings
	case ext == ".yaml" || ext == ".yml":
		return readYAMLSettings
	case ext == ".toml":
		return readTOMLSettings
	case ext == ".properties":
		return readPropertiesSettings
	case ext == ".ini" || ext == ".cfg" || ext == ".conf":
		return readINISettings
	case ext == ".hcl" || ext == ".tf" || ext == ".tfvars":
		return readHCLSettings
	}
	return nil
}

// isSettingsFile reports files that hold settings of a program. Manifests of packages, locks, the bot's
// own configuration and workflows do not count: what they say is not what a service runs with.
func isSettingsFile(file string) bool {
	if settingsReader(file) == nil {
		return false
	}
	switch path.Base(file) {
	case "package.json", "package-lock.json", "composer.json", "tsconfig.json", "Cargo.toml", "pyproject.toml", "setup.cfg", "tox.ini",
		"pytest.ini", "mypy.ini", "Pipfile", ".golangci.yml", ".golangci.yaml", ".pre-commit-config.yaml", "pnpm-lock.yaml",
		"poetry.lock", ".remediator.yaml", ".remediator.yml", "action.yml", "action.yaml", "mkdocs.yml", "openapi.yaml", "openapi.json", "swagger.json":
		return false
	}
	for part := range strings.SplitSeq(file, "/") {
		switch part {
		case ".git", ".github", ".gitlab", ".circleci", ".vscode", ".idea", "node_modules", "vendor", ".venv", "venv", "testdata", "fixtures",
			"__pycache__", "site-packages", "migrations":
			return false
		}
	}
	return true
}

// readSettings reads the scalars of a configuration file.
func readSettings(file string, src []byte) ([]setting, error) {
	read := settingsReader(file)
	if read == nil {
		return nil, fmt.Errorf("%s is in no format that can be edited", safePath(file))
	}
	if len(src) > maxSettingsFile {
		return nil, fmt.Errorf("%s is larger than %d bytes", safePath(file), maxSettingsFile)
	}
	if !utf8.Valid(src) || bytes.IndexByte(src, 0) >= 0 {
		return nil, fmt.Errorf("%s is not UTF-8 text", safePath(file))
	}
	all, err := read(src)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", safePath(file), err)
	}
	if len(all) > maxSettings {
		return nil, fmt.Errorf("read %s: %w", safePath(file), errTooManySettings)
	}
	lines := lineIndex(src)
	for i := range all {
		s := &all[i]
		s.Line = lines.at(s.From)
		if s.Name == "" && len(s.Path) > 0 {
			s.Name = s.Path[len(s.Path)-1]
		}
	}
	nameValuePairs(all)
	assignments(all)
	return all, nil
}

// nameValuePairs names the value of {name: X, value: Y} after its X, as lists of environment variables and
// Helm parameters have them.
func nameValuePairs(all []setting) {
	names := map[string]string{}
	parent := func(s setting) string { return strings.Join(s.Path[:len(s.Path)-1], "\x00") }
	for _, s := range all {
		if n := len(s.Path); n > 1 && (s.Path[n-1] == "name" || s.Path[n-1] == "key") {
			names[parent(s)] = s.Text
		}
	}
	for i, s := range all {
		if n := len(s.Path); n > 1 && s.Path[n-1] == "value" && names[parent(s)] != "" {
			all[i].Name = names[parent(s)]
		}
	}
}

var assignment = regexp.MustCompile(`^["']?(?:([A-Z][A-Z0-9_]*)|--?([a-z][a-z0-9.-]*))=`)

// assignments narrows elements of lists that are NAME=value or --name=value, as Compose files and
// container arguments have them, to their value.
func assignments(all []setting) {
	for i := range all {
		s := &all[i]
		if n := len(s.Path); n == 0 || !strings.HasPrefix(s.Path[n-1], "#") {
			continue
		}
		m := assignment.FindStringSubmatchIndex(s.Raw)
		if m == nil || m[1] >= len(s.Raw) {
			continue
		}
		name := assignment.FindStringSubmatch(s.Raw)
		end := len(s.Raw)
		if q := s.Raw[0]; q == '"' || q == '\'' {
			end--
		}
		if m[1] >= end || strings.ContainsAny(s.Raw[m[1]:end], "\"'\\") {
			continue
		}
		s.Name = name[1] + name[2]
		s.From, s.To = s.From+m[1], s.From+end
		s.Raw = s.Raw[m[1]:end]
		s.Text = s.Raw
	}
}

// settingEdit replaces the raw text of one setting.
type settingEdit struct {
	Old setting
	New string
}

// editSettings replaces raw values and nothing else, and shows that by reading the result: the
// same paths, the same values, but for the edited ones.
func editSettings(file string, src []byte, edits []settingEdit) ([]byte, error) {
	before, err := readSettings(file, src)
	if err != nil {
		return nil, err
	}
	edits = slices.Clone(edits)
	slices.SortFunc(edits, func(a, b settingEdit) int { return a.Old.From - b.Old.From })
	var out bytes.Buffer
	at := 0
	changed := map[string]string{}
	for _, e := range edits {
		if e.New == "" || e.Old.From < at || e.Old.To > len(src) || string(src[e.Old.From:e.Old.To]) != e.Old.Raw {
			return nil, fmt.Errorf("%s:%d is not as expected", safePath(file), e.Old.Line)
		}
		if changed[e.Old.Key()] != "" || countKey(before, e.Old.Key()) != 1 {
			return nil, fmt.Errorf("%s:%d: %s stands there more than once", safePath(file), e.Old.Line, e.Old.Dotted())
		}
		changed[e.Old.Key()] = e.New
		out.Write(src[at:e.Old.From])
		out.WriteString(e.New)
		at = e.Old.To
	}
	out.Write(src[at:])
	after, err := readSettings(file, out.Bytes())
	if err != nil {
		return nil, fmt.Errorf("the edit would break the file: %w", err)
	}
	if len(after) != len(before) {
		return nil, fmt.Errorf("the edit of %s would change its structure", safePath(file))
	}
	for i := range before {
		want := before[i].Raw
		if to, ok := changed[before[i].Key()]; ok {
			want = to
		}
		if before[i].Key() != after[i].Key() || after[i].Raw != want {
			return nil, fmt.Errorf("the edit of %s would change more than its value", safePath(file))
		}
	}
	if bytes.Equal(out.Bytes(), src) {
		return nil, errors.New("the value is what it should be already")
	}
	return out.Bytes(), nil
}

func countKey(all []setting, key string) int {
	n := 0
	for _, s := range all {
		if s.Key() == key {
			n++
		}
	}
	return n
}

// sameQuotes writes text in the way raw was written.
func sameQuotes(raw, text string) string {
	if len(raw) >= 2 && (raw[0] == '"' || raw[0] == '\'') && raw[len(raw)-1] == raw[0] {
		return raw[:1] + text + raw[:1]
	}
	return text
}

// lineIndex finds the line of an offset.
type lineStarts []int

func lineIndex(src []byte) lineStarts {
	starts := lineStarts{0}
	for i, c := range src {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

func (l lineStarts) at(offset int) int {
	i, found := slices.BinarySearch(l, offset)
	if found {
		return i + 1
	}
	return i
}
