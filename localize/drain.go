package localize

import (
	"strings"
)

// miner groups log messages into templates while they stream by. It follows Drain (He et al.,
// Drain: An Online Log Parsing Approach with Fixed Depth Tree, ICWS 2017): messages of equal
// token count whose first tokens agree are compared token by token, and join the most
// similar template if enough tokens agree; tokens that differ become wildcards. Before that,
// tokens that hold variable parts by their form are masked (numbers, addresses, ids, paths
// with digits). One configuration serves all input.
type miner struct {
	similarity float64 // share of equal tokens needed to join a template (Drain's st)

	root  map[leafKey][]int32
	list  []template
	cache map[messageKey]int32
	// overflow counts the messages that found neither a template nor room for one.
	overflow int
}

// messageKey is a message of one scope.
type messageKey struct{ scope, message string }

// leafKey is a leaf of the fixed-depth tree: token count and leading tokens.
type leafKey struct {
	count int
	scope string
	a, b  string
}

// template is one message shape.
type template struct {
	scope  string // what it is kept apart by: the service
	tokens []string
	sample string
}

const (
	wildcard = "<*>"
	// maxTokens bounds the part of a message that is compared; the rest is one wildcard.
	maxTokens = 120
	// maxTemplates bounds what hostile logs can make the miner keep.
	maxTemplates = 20000
	// maxPerLeaf bounds the comparisons per message.
	maxPerLeaf = 200
)

func newMiner() *miner { return newMinerOf(newConstants(nil).logs.similarity) }

func newMinerOf(similarity float64) *miner {
	return &miner{similarity: similarity, root: map[leafKey][]int32{}, cache: map[messageKey]int32{}}
}

// add returns the number of the message's template.
func (m *miner) add(scope, message string) int32 {
	cacheKey := messageKey{scope, message}
	if len(message) <= 200 {
		if id, ok := m.cache[cacheKey]; ok {
			return id
		}
	}
	tokens := tokenize(message)
	key := leafKey{count: len(tokens), scope: scope}
	if len(tokens) > 0 {
		key.a = prefix(tokens[0])
	}
	if len(tokens) > 2 {
		key.b = prefix(tokens[1])
	}
	leaf := m.root[key]
	best, bestSim, bestFixed := int32(-1), -1.0, -1
	for _, id := range leaf {
		sim, fixed := alike(m.list[id].tokens, tokens)
		if sim > bestSim || sim == bestSim && fixed > bestFixed {
			best, bestSim, bestFixed = id, sim, fixed
		}
	}
	if best < 0 && len(m.list) >= maxTemplates {
		m.overflow++
		return m.rest()
	}
	if best >= 0 && (bestSim >= m.similarity || len(leaf) >= maxPerLeaf || len(m.list) >= maxTemplates) {
		t := &m.list[best]
		for i := range t.tokens {
			if t.tokens[i] != tokens[i] {
				t.tokens[i] = wildcard
			}
		}
	} else {
		best = int32(len(m.list)) // bounded by maxTemplates
		m.list = append(m.list, template{scope: scope, tokens: tokens, sample: message})
		m.root[key] = append(leaf, best)
	}
	if len(message) <= 200 && len(m.cache) < 1<<16 {
		m.cache[cacheKey] = best
	}
	return best
}

// rest is the template of all messages that there was no room for.
func (m *miner) rest() int32 {
	key := leafKey{count: -1}
	if len(m.root[key]) == 0 {
		m.root[key] = []int32{int32(len(m.list))} // bounded by maxTemplates, and this one
		m.list = append(m.list, template{tokens: []string{wildcard}})
	}
	return m.root[key][0]
}

// text is the template in words.
func (m *miner) text(id int32) string { return strings.Join(m.list[id].tokens, " ") }

// prefix is what a token contributes to the tree: nothing when it is variable.
func prefix(token string) string {
	if strings.Contains(token, wildcard) {
		return wildcard
	}
	return token
}

// alike is the share of positions where template and tokens agree, not counting wildcards,
// and how many fixed tokens agree.
func alike(t, tokens []string) (float64, int) {
	same := 0
	wild := 0
	for i := range t {
		switch {
		case t[i] == wildcard && tokens[i] == wildcard:
			wild++
		case t[i] == tokens[i]:
			same++
		}
	}
	n := len(t) - wild
	if n <= 0 {
		return 1, 0
	}
	return float64(same) / float64(n), same
}

// tokenize splits at white space and masks the variable parts of each token.
func tokenize(message string) []string {
	if i := strings.IndexByte(message, '\n'); i >= 0 {
		message = message[:i] // further lines are a stack or a dump
	}
	out := make([]string, 0, 16)
	for len(message) > 0 {
		i := 0
		for i < len(message) && (message[i] == ' ' || message[i] == '\t' || message[i] == '\r') {
			i++
		}
		message = message[i:]
		if message == "" {
			break
		}
		if len(out) == maxTokens {
			out = append(out, wildcard)
			break
		}
		j := 0
		for j < len(message) && message[j] != ' ' && message[j] != '\t' && message[j] != '\r' {
			j++
		}
		out = append(out, mask(message[:j]))
		message = message[j:]
	}
	return out
}

// mask replaces the variable parts of a token. A token is cut at punctuation; parts with
// digits that are no plain word with a trailing ordinal become wildcards.
func mask(token string) string {
	variable := false
	for i := 0; i < len(token); i++ {
		if token[i] >= '0' && token[i] <= '9' || token[i] >= 0x80 {
			variable = true
			break
		}
	}
	if !variable {
		return token
	}
	var b strings.Builder
	b.Grow(len(token))
	start := 0
	flush := func(end int) {
		if start == end {
			return
		}
		part := token[start:end]
		if isVariable(part) {
			if !strings.HasSuffix(b.String(), wildcard) {
				b.WriteString(wildcard)
			}
		} else {
			b.WriteString(part)
		}
	}
	for i := 0; i < len(token); i++ {
		c := token[i]
		switch c {
		case '=', ':', ',', ';', '(', ')', '[', ']', '{', '}', '"', '\'', '<', '>', '|', '@', '/', '#', '&', '?', '$', '!':
			flush(i)
			b.WriteByte(c)
			start = i + 1
		}
	}
	flush(len(token))
	out := b.String()
	// 10.0.0.1:80 and 1/2/3 are one variable each.
	for _, sep := range []string{":", "/", ",", "|", "@", "#"} {
		for strings.Contains(out, wildcard+sep+wildcard) {
			out = strings.ReplaceAll(out, wildcard+sep+wildcard, wildcard)
		}
	}
	return out
}

// isVariable says that a part of a token is a value: it holds a digit and is not a short word
// with one ordinal behind it, as in "utf8" or "worker2".
func isVariable(part string) bool {
	digits, letters := 0, 0
	for i := 0; i < len(part); i++ {
		c := part[i]
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_':
			letters++
		}
	}
	return digits > 0 && !(digits == 1 && letters >= 3 && part[0] > '9')
}
