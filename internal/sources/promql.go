package sources

import (
	"slices"
	"strconv"
	"strings"
)

// The parser of Prometheus itself comes with Prometheus' whole module, and what is needed of an expression is little:
// which series it is about, and where its threshold begins. So the text is scanned, by the lexical rules of
// https://prometheus.io/docs/prometheus/latest/querying/basics/ and .../operators/. Whatever is not understood
// is left out: the server judges expressions.

// Selector is one vector selector of a PromQL expression.
type Selector struct {
	Metric   string // "" where only labels say
	Matchers []Matcher
}

// Matcher is one condition on a label.
type Matcher struct{ Label, Op, Value string }

// String is the selector in PromQL.
func (s Selector) String() string {
	var b strings.Builder
	b.WriteString(s.Metric)
	if len(s.Matchers) > 0 || s.Metric == "" {
		b.WriteByte('{')
		for i, m := range s.Matchers {
			if i > 0 {
				b.WriteByte(',')
			}
			b.WriteString(m.String())
		}
		b.WriteByte('}')
	}
	return b.String()
}

// String is the matcher in PromQL.
func (m Matcher) String() string { return m.Label + m.Op + strconv.Quote(m.Value) }

const (
	maxExpression = 16 << 10 // bytes of an expression that is looked into
	maxSelectors  = 64
)

// promToken is one lexical element.
type promToken struct {
	kind byte // 'i' identifier, 's' string, 'n' number or duration, 'o' operator or punctuation
	text string
	at   int
}

// words that are no metric names though they stand where one could: operators, modifiers, numbers.
var promWords = []string{"and", "or", "unless", "atan2", "bool", "offset", "inf", "nan", "start", "end"}

// labelled are followed by a list of labels in parentheses.
var labelled = []string{"by", "without", "on", "ignoring", "group_left", "group_right"}

// Selectors returns the vector selectors of an expression in order, each once.
func Selectors(expr string) []Selector {
	tokens := promTokens(expr)
	var out []Selector
	seen := map[string]bool{}
	for i := 0; i < len(tokens) && len(out) < maxSelectors; i++ {
		t := tokens[i]
		next := promToken{}
		if i+1 < len(tokens) {
			next = tokens[i+1]
		}
		lower := strings.ToLower(t.text)
		switch {
		case t.kind == 'i' && slices.Contains(labelled, lower) && next.text == "(":
			i = closing(tokens, i+1)
			continue
		case t.kind == 'i' && slices.Contains(labelled, lower) && t.text == lower:
			continue
		case t.kind == 'o' && t.text == "[":
			i = closing(tokens, i)
			continue
		case t.kind == 'i' && next.text == "(", t.kind == 'i' && slices.Contains(promWords, lower):
			continue
		case t.kind == 'i' && next.kind == 'i' && slices.Contains(labelled, strings.ToLower(next.text)):
			continue // an aggregation whose grouping stands before its parentheses
		}
		var s Selector
		switch {
		case t.kind == 'i':
			s.Metric = t.text
			if next.text == "{" {
				end := closing(tokens, i+1)
				s = matchers(tokens[min(i+2, end):end], s)
				i = end
			}
		case t.text == "{":
			end := closing(tokens, i)
			s = matchers(tokens[min(i+1, end):end], s)
			i = end
		default:
			continue
		}
		if s.Metric == "" && len(s.Matchers) == 0 {
			continue
		}
		if key := s.String(); !seen[key] {
			seen[key] = true
			out = append(out, s)
		}
	}
	return out
}

// matchers reads what stands between braces; a name may stand there in quotes.
func matchers(tokens []promToken, s Selector) Selector {
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if i+2 < len(tokens) && (t.kind == 'i' || t.kind == 's') && slices.Contains([]string{"=", "!=", "=~", "!~"}, tokens[i+1].text) && tokens[i+2].kind == 's' {
			m := Matcher{t.text, tokens[i+1].text, tokens[i+2].text}
			if m.Label == "__name__" && m.Op == "=" {
				s.Metric = m.Value
			} else {
				s.Matchers = append(s.Matchers, m)
			}
			i += 2
		} else if t.kind == 's' && s.Metric == "" {
			s.Metric = t.text
		}
	}
	return s
}

// closing is the place of the bracket that closes the one at i, or the last place.
func closing(tokens []promToken, i int) int {
	depth := 0
	for ; i < len(tokens); i++ {
		switch tokens[i].text {
		case "(", "[", "{":
			if tokens[i].kind == 'o' {
				depth++
			}
		case ")", "]", "}":
			if tokens[i].kind == 'o' {
				if depth--; depth == 0 {
					return i
				}
			}
		}
	}
	return max(len(tokens)-1, 0)
}

// WithoutThreshold takes the comparison with a number off the end of an expression, so that the series it is about
// can be seen on both sides of the threshold. ok says that there was one.
func WithoutThreshold(expr string) (left string, threshold float64, ok bool) {
	tokens := promTokens(expr)
	depth := 0
	for i, t := range tokens {
		if t.kind != 'o' {
			if t.kind == 'i' && depth == 0 && slices.Contains([]string{"and", "or", "unless"}, strings.ToLower(t.text)) {
				return expr, 0, false // the comparison is about a part only
			}
			continue
		}
		switch t.text {
		case "(", "[", "{":
			depth++
		case ")", "]", "}":
			depth--
		case ">", "<", ">=", "<=", "==", "!=":
			if depth != 0 || i == 0 {
				continue
			}
			rest := strings.TrimSpace(expr[t.at+len(t.text):])
			v, err := strconv.ParseFloat(strings.Trim(rest, "() "), 64)
			if err != nil {
				return expr, 0, false
			}
			return strings.TrimSpace(expr[:t.at]), v, true
		}
	}
	return expr, 0, false
}

// promTokens cuts an expression into its elements; text that is too long has none.
func promTokens(expr string) []promToken {
	if len(expr) > maxExpression {
		return nil
	}
	var out []promToken
	for i := 0; i < len(expr); {
		c := expr[i]
		start := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case c == '#':
			for i < len(expr) && expr[i] != '\n' {
				i++
			}
			continue
		case c == '"' || c == '\'' || c == '`':
			text, n := promString(expr[i:])
			i += n
			out = append(out, promToken{'s', text, start})
			continue
		case isLetter(c) || c == ':':
			for i < len(expr) && (isLetter(expr[i]) || expr[i] == ':' || expr[i] >= '0' && expr[i] <= '9') {
				i++
			}
			out = append(out, promToken{'i', expr[start:i], start})
			continue
		case c >= '0' && c <= '9' || c == '.':
			for i < len(expr) && (isLetter(expr[i]) || expr[i] == '.' || expr[i] >= '0' && expr[i] <= '9' ||
				(expr[i] == '+' || expr[i] == '-') && (expr[i-1] == 'e' || expr[i-1] == 'E')) {
				i++
			}
			out = append(out, promToken{'n', expr[start:i], start})
			continue
		}
		i++
		if i < len(expr) && (expr[i] == '=' && strings.IndexByte("=!<>", c) >= 0 || expr[i] == '~' && (c == '=' || c == '!')) {
			i++
		}
		out = append(out, promToken{'o', expr[start:i], start})
	}
	return out
}

// promString reads a quoted text and how long it is with its quotes.
func promString(s string) (string, int) {
	quote := s[0]
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\' && quote != '`':
			i++
		case s[i] == quote:
			text := s[1:i]
			if quote == '`' {
				return text, i + 1
			}
			if quote == '\'' {
				text = strings.ReplaceAll(strings.ReplaceAll(text, `\'`, `'`), `"`, `\"`)
			}
			if plain, err := strconv.Unquote(`"` + text + `"`); err == nil {
				return plain, i + 1
			}
			return text, i + 1
		}
	}
	return s[1:], len(s)
}

func isLetter(c byte) bool { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
