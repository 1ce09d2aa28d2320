package localize

import (
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
)

// pathClass is what kind of file a path names.
type pathClass uint8

const (
	pathCode pathClass = iota
	pathConfig
	pathSchema // migrations
	pathInert  // documentation, tests, build, style: cannot change how the service runs
)

// classifyPath goes by the conventions of the languages' tools.
func classifyPath(p string) pathClass {
	lower := strings.ToLower(p)
	base, dir := path.Base(lower), "/"+path.Dir(lower)+"/"
	ext := path.Ext(base)
	for _, d := range []string{"/docs/", "/doc/", "/documentation/", "/test/", "/tests/", "/testdata/", "/__tests__/", "/spec/", "/.github/", "/.circleci/", "/.gitlab/", "/examples/"} {
		if strings.Contains(dir, d) {
			return pathInert
		}
	}
	switch ext {
	case ".md", ".rst", ".adoc", ".css", ".scss", ".less", ".svg", ".png", ".jpg", ".gif", ".ico", ".sum", ".lock", ".golden", ".snap":
		return pathInert
	case ".sql":
		return pathSchema
	}
	stem := strings.TrimSuffix(base, ext)
	if strings.HasSuffix(stem, "_test") || strings.HasPrefix(stem, "test_") || strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") ||
		strings.HasSuffix(stem, "test") && ext == ".java" {
		return pathInert
	}
	switch base {
	case "codeowners", "license", "makefile", ".gitignore", ".editorconfig", ".golangci.yml", ".pre-commit-config.yaml", "package-lock.json", "go.sum", ".gitlab-ci.yml", "jenkinsfile":
		return pathInert
	}
	if strings.Contains(dir, "/migrations/") || strings.Contains(dir, "/migration/") {
		return pathSchema
	}
	switch ext {
	case ".yaml", ".yml", ".toml", ".json", ".properties", ".env", ".ini", ".conf", ".cfg", ".tf", ".hcl", ".xml":
		return pathConfig
	}
	if strings.HasPrefix(base, ".env") {
		return pathConfig
	}
	return pathCode
}

// diffFacts is what the hunks of a change do to behaviour, as far as text shows.
type diffFacts struct {
	class          pathClass // the most telling of its files
	files          int
	known          bool // some hunks are there to look at
	removed, added []string
	// words of the code lines that changed, removed and added alike
	words map[string]float64
	// valueChanges are literals that changed on lines that otherwise stayed.
	values []valueChange
	// Losses and gains of behaviour, after what merely moved is taken out.
	guardsLost, callsLost, callsGained, constantsLost float64
	loopCalls                                         bool    // a call was put into a loop
	kept                                              float64 // share of the removed tokens that the added lines have too
	onlyAdds                                          bool
	onlyLogs                                          bool
	dependency                                        bool
}

// valueChange is a literal that changed.
type valueChange struct {
	line     string
	from, to string
	words    []string
}

// digest reads the hunks of a change.
func digest(c *Change) diffFacts {
	d := diffFacts{class: pathInert, words: map[string]float64{}, files: len(c.Files)}
	dependencyOnly := len(c.Files) > 0
	for _, f := range c.Files {
		pc := classifyPath(f.Path)
		if pc < d.class {
			d.class = pc
		}
		if !isManifest(f.Path) && pc != pathInert {
			dependencyOnly = false
		}
		if pc == pathInert {
			continue
		}
		for _, w := range nameWords(strings.TrimSuffix(f.Path, path.Ext(f.Path))) {
			d.words[stem(w)] += 0.5
		}
		if f.Patch == "" {
			continue
		}
		d.known = true
		removed, added := splitHunks(f.Patch)
		d.removed = append(d.removed, removed...)
		d.added = append(d.added, added...)
		for _, header := range hunkHeaders(f.Patch) {
			for _, w := range nameWords(header) {
				d.words[stem(w)] += 0.3
			}
		}
	}
	d.dependency = dependencyOnly
	d.compare()
	return d
}

// isManifest says that a file lists dependencies.
func isManifest(p string) bool {
	switch path.Base(strings.ToLower(p)) {
	case "go.mod", "go.sum", "package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "requirements.txt", "poetry.lock", "pyproject.toml",
		"pom.xml", "build.gradle", "build.gradle.kts", "gemfile", "gemfile.lock", "cargo.toml", "cargo.lock", "dockerfile", "pipfile", "pipfile.lock":
		return true
	}
	return false
}

// maxDiffLines bounds how much of a change is compared.
const maxDiffLines = 4000

// splitHunks separates removed from added code lines; comments and blank lines say nothing of
// behaviour.
func splitHunks(patch string) (removed, added []string) {
	for line := range strings.Lines(patch) {
		if len(removed)+len(added) >= maxDiffLines {
			break
		}
		line = strings.TrimRight(line, "\r\n")
		if len(line) < 2 || len(line) > 2000 {
			continue
		}
		code := strings.TrimSpace(line[1:])
		if code == "" || isComment(code) {
			continue
		}
		switch line[0] {
		case '-':
			removed = append(removed, code)
		case '+':
			added = append(added, code)
		}
	}
	return removed, added
}

// hunkHeaders returns the function contexts of a patch.
func hunkHeaders(patch string) []string {
	var out []string
	for line := range strings.Lines(patch) {
		if strings.HasPrefix(line, "@@") {
			if i := strings.Index(line[2:], "@@"); i >= 0 {
				out = append(out, strings.TrimSpace(line[i+4:]))
			}
		}
	}
	return out
}

func isComment(code string) bool {
	for _, p := range []string{"//", "#", "/*", "*/", "* ", "--", "<!--", "\"\"\"", "'''"} {
		if strings.HasPrefix(code, p) && !strings.HasPrefix(code, "#[") && !strings.HasPrefix(code, "#include") && !strings.HasPrefix(code, "#define") {
			return true
		}
	}
	return code == "*"
}

// compare finds what the change took away and what it brought.
func (d *diffFacts) compare() {
	lost, gained := tokenBag(d.removed), tokenBag(d.added)
	common, all := 0.0, 0.0
	for t, n := range lost {
		all += n
		common += min(n, gained[t])
	}
	if all > 0 {
		d.kept = common / all
	}
	d.onlyAdds = len(d.removed) == 0 && len(d.added) > 0
	d.guardsLost = max(0, count(d.removed, isGuard)-count(d.added, isGuard))
	d.constantsLost = max(0, count(d.removed, isConstant)-count(d.added, isConstant))
	callsOut, callsIn := calls(d.removed), calls(d.added)
	for c := range callsOut {
		if callsIn[c] == 0 {
			d.callsLost++
		}
	}
	for c := range callsIn {
		if callsOut[c] == 0 {
			d.callsGained++
		}
	}
	d.loopCalls = loopGainedCall(d.removed, d.added)
	d.findValues()
	logs := 0.0
	for _, l := range append(slices.Clone(d.removed), d.added...) {
		if isLogging(l) {
			logs++
		}
	}
	d.onlyLogs = logs > 0 && d.callsLost <= logs && d.callsGained <= 2*logs && d.guardsLost == 0 && len(d.values) == 0 &&
		logs >= 0.5*float64(len(d.removed)) && len(d.added) <= 12
	// Words that are on both sides in equal number merely moved.
	for t, n := range lost {
		d.weigh(t, n-gained[t])
	}
	for t, n := range gained {
		d.weigh(t, n-lost[t])
	}
	for _, v := range d.values {
		for _, w := range v.words {
			d.words[w] += 2
		}
	}
}

// weigh counts a changed token's words; ones that merely moved count a little.
func (d *diffFacts) weigh(token string, surplus float64) {
	w := 0.2
	if surplus > 0 {
		w = min(surplus, 3)
	}
	for _, word := range nameWords(token) {
		d.words[stem(word)] += w
	}
}

// tokenBag counts the identifiers and numbers of lines.
func tokenBag(lines []string) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		for _, t := range tokens(l) {
			out[t]++
		}
	}
	return out
}

// tokens splits a line of code into identifiers and numbers.
func tokens(line string) []string {
	return strings.FieldsFunc(line, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '_' || r == '.' && false)
	})
}

func count(lines []string, is func(string) bool) float64 {
	n := 0.0
	for _, l := range lines {
		if is(l) {
			n++
		}
	}
	return n
}

// isGuard says that a line decides whether to go on.
func isGuard(l string) bool {
	for _, p := range []string{"if ", "if(", "} else", "elif ", "else if", "unless ", "guard ", "assert ", "except", "catch", "rescue", "Objects.requireNonNull"} {
		if strings.HasPrefix(l, p) || strings.HasPrefix(l, "} "+p) {
			return true
		}
	}
	return strings.Contains(l, "?.") || strings.Contains(l, " ?? ")
}

func isConstant(l string) bool {
	return strings.HasPrefix(l, "const ") || strings.HasPrefix(l, "static final ") || strings.Contains(l, " static final ")
}

func isLogging(l string) bool {
	lower := strings.ToLower(l)
	for _, p := range []string{"log.", "logger.", "slog.", "logging.", "console.", "fmt.print", "print(", "system.out"} {
		if strings.HasPrefix(lower, p) {
			return true
		}
	}
	return false
}

// calls counts the names that are called.
func calls(lines []string) map[string]float64 {
	out := map[string]float64{}
	for _, l := range lines {
		for i := 0; i < len(l); i++ {
			if l[i] != '(' {
				continue
			}
			j := i
			for j > 0 && (isWordByte(l[j-1])) {
				j--
			}
			name := l[j:i]
			if name == "" || isKeyword(name) || strings.HasPrefix(l[:j], "func ") && !strings.Contains(l[:j], "(") || strings.HasPrefix(l, "def ") && j == 4 {
				continue
			}
			out[name]++
		}
	}
	return out
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func isKeyword(s string) bool {
	switch s {
	case "if", "for", "while", "switch", "return", "func", "catch", "function", "def", "and", "or", "not", "in", "await", "range", "elif":
		return true
	}
	return false
}

// loopGainedCall says that a loop stands in the new lines with calls in it that the old lines
// did not make.
func loopGainedCall(removed, added []string) bool {
	before := calls(removed)
	inLoop := 0
	for _, l := range added {
		if strings.HasPrefix(l, "for ") || strings.HasPrefix(l, "for(") || strings.HasPrefix(l, "while ") || strings.Contains(l, ".forEach(") || strings.Contains(l, ".map(") {
			inLoop = 8 // lines that the loop's body is taken to have
			continue
		}
		if inLoop > 0 {
			inLoop--
			for c := range calls([]string{l}) {
				if before[c] == 0 && c != "append" && c != "len" && c != "make" && c != "Errorf" {
					return true
				}
			}
		}
	}
	return false
}

// findValues pairs removed with added lines that differ in literals only.
func (d *diffFacts) findValues() {
	byShape := map[string][]string{}
	for _, l := range d.removed {
		shape, _ := literalShape(l)
		byShape[shape] = append(byShape[shape], l)
	}
	for _, l := range d.added {
		shape, to := literalShape(l)
		old := byShape[shape]
		if len(old) == 0 {
			continue
		}
		_, from := literalShape(old[0])
		byShape[shape] = old[1:]
		if slices.Equal(from, to) || len(from) != len(to) {
			continue
		}
		for i := range from {
			if from[i] == to[i] {
				continue
			}
			var words []string
			for _, t := range tokens(l) {
				for _, w := range nameWords(t) {
					words = append(words, stem(w))
				}
			}
			d.values = append(d.values, valueChange{line: l, from: from[i], to: to[i], words: words})
		}
	}
}

// literalShape replaces the literals of a line: numbers with their units, quoted strings,
// and the value behind a key of a configuration file.
func literalShape(l string) (shape string, literals []string) {
	if k, v, ok := configLine(l); ok {
		return k + ":", []string{v}
	}
	var b strings.Builder
	for i := 0; i < len(l); {
		c := l[i]
		switch {
		case c == '"' || c == '\'' || c == '`':
			j := i + 1
			for j < len(l) && l[j] != c {
				j++
			}
			j = min(j+1, len(l))
			literals = append(literals, l[i:j])
			b.WriteByte('$')
			i = j
		case c >= '0' && c <= '9' && (i == 0 || !isWordByte(l[i-1])):
			j := i
			for j < len(l) && (isWordByte(l[j]) || l[j] == '.') {
				j++
			}
			literals = append(literals, l[i:j])
			b.WriteByte('#')
			i = j
		case strings.HasPrefix(l[i:], "time.") && i+5 < len(l):
			j := i + 5
			for j < len(l) && isWordByte(l[j]) {
				j++
			}
			literals = append(literals, l[i:j])
			b.WriteByte('U')
			i = j
		case strings.HasPrefix(l[i:], "true") || strings.HasPrefix(l[i:], "True"):
			literals = append(literals, "true")
			b.WriteByte('B')
			i += 4
		case strings.HasPrefix(l[i:], "false") || strings.HasPrefix(l[i:], "False"):
			literals = append(literals, "false")
			b.WriteByte('B')
			i += 5
		case c == ' ' || c == '\t':
			i++
		default:
			b.WriteByte(c)
			i++
		}
	}
	return b.String(), literals
}

// configLine splits "key: value" and "KEY=value".
func configLine(l string) (key, value string, ok bool) {
	i := strings.IndexAny(l, ":=")
	if i <= 0 || i == len(l)-1 || strings.ContainsAny(l[:i], " (){}<>\"'\t") || strings.HasPrefix(l[i:], ":=") || strings.HasPrefix(l[i:], "==") {
		return "", "", false
	}
	v := strings.TrimSpace(strings.TrimRight(l[i+1:], ",;"))
	if v == "" || strings.ContainsAny(v, "(){}*") {
		return "", "", false
	}
	return l[:i], v, true
}

// risk is how likely the change alters behaviour, 0..1, judged from its text alone: a
// refactoring that says the same in other words keeps its tokens, guards, calls and values.
func (d *diffFacts) risk() float64 {
	switch {
	case d.class == pathInert:
		return 0.02
	case !d.known:
		return 0.25 // paths alone
	case len(d.removed)+len(d.added) == 0:
		return 0.03 // comments
	case d.dependency:
		return 0.15
	}
	r := 0.1
	if len(d.values) > 0 {
		r += 0.25 + 0.2*clamp01(d.largestRatio()/3)
	}
	// What was taken out and stands elsewhere in other words is no loss: the more of the
	// removed tokens are kept, the less a missing check or call means.
	gone := clamp01(1.25 * (1 - d.kept))
	r += 0.3 * min(d.guardsLost, 1) * gone
	r += 0.15 * min(d.callsLost, 3) * gone
	if d.constantsLost > 0 {
		r += 0.2
	}
	r += 0.08 * min(d.callsGained, 3)
	if d.loopCalls {
		r += 0.25
	}
	if d.onlyAdds {
		r *= 0.8
	}
	if d.onlyLogs {
		r *= 0.4
	}
	if len(d.removed) > 0 && d.kept > 0.7 && len(d.values) == 0 && !d.loopCalls && d.constantsLost == 0 {
		r *= 0.4
	}
	return min(r, 0.95)
}

// largestRatio is the natural logarithm of the largest factor by which a number changed.
func (d *diffFacts) largestRatio() float64 {
	best := 0.0
	for _, v := range d.values {
		a, okA := leadingNumber(v.from)
		b, okB := leadingNumber(v.to)
		switch {
		case okA && okB && a > 0 && b > 0:
			best = max(best, math.Abs(math.Log(a/b)))
		default:
			best = max(best, 1)
		}
	}
	return best
}

// leadingNumber reads the number at the start of a literal; units of time are applied.
func leadingNumber(s string) (float64, bool) {
	s = strings.Trim(s, "\"'`")
	if u, ok := timeUnits[strings.TrimPrefix(s, "time.")]; ok {
		return u, true
	}
	i := 0
	for i < len(s) && (s[i] >= '0' && s[i] <= '9' || s[i] == '.') {
		i++
	}
	n, err := strconv.ParseFloat(s[:i], 64)
	if err != nil {
		return 0, false
	}
	if u, ok := timeUnits[strings.ToLower(strings.TrimSpace(s[i:]))]; ok {
		n *= u
	}
	return n, true
}

// timeUnits are the units of durations in seconds.
//
//nolint:gochecknoglobals // read-only table
var timeUnits = map[string]float64{"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400,
	"Nanosecond": 1e-9, "Microsecond": 1e-6, "Millisecond": 1e-3, "Second": 1, "Minute": 60, "Hour": 3600}

// stem reduces a word to what its forms share; it is deliberately weak.
func stem(w string) string {
	switch {
	case len(w) > 5 && strings.HasSuffix(w, "ies"):
		return w[:len(w)-3] + "y"
	case len(w) > 6 && strings.HasSuffix(w, "ing"):
		return strings.TrimSuffix(w, "ing")
	case len(w) > 5 && strings.HasSuffix(w, "ed"):
		return strings.TrimSuffix(w, "ed")
	case len(w) > 3 && strings.HasSuffix(w, "s") && !strings.HasSuffix(w, "ss"):
		return w[:len(w)-1]
	}
	return w
}
