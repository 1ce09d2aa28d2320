package localize

import (
	"bytes"
	"slices"
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
	cache map[messageKey]int32 // of messages without digits, which come again as they are
	masker
	scratch []string
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
	constant := len(message) <= 200 && !strings.ContainsAny(message, "0123456789")
	if constant {
		if id, ok := m.cache[cacheKey]; ok {
			return id
		}
	}
	m.scratch = m.masker.tokens(m.scratch[:0], message)
	tokens := m.scratch
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
		m.list = append(m.list, template{scope: scope, tokens: slices.Clone(tokens), sample: message})
		m.root[key] = append(leaf, best)
	}
	if constant && len(m.cache) < 1<<16 {
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

// shared says that a template holds messages of several scopes.
func (m *miner) shared(id int32) bool { return m.overflow > 0 && id == m.rest() }

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
func tokenize(message string) []string { return (&masker{}).tokens(make([]string, 0, 16), message) }

// masker masks tokens. It keeps what it wrote, since few masked tokens come again and again.
type masker struct {
	buf   []byte
	known map[string]string
}

// mostMasked bounds what hostile logs can make a masker keep.
const mostMasked = 1 << 14

// tokens appends the tokens of the message.
func (m *masker) tokens(out []string, message string) []string {
	if i := strings.IndexByte(message, '\n'); i >= 0 {
		message = message[:i] // further lines are a stack or a dump
	}
	for i := 0; i < len(message); {
		for i < len(message) && (message[i] == ' ' || message[i] == '\t' || message[i] == '\r') {
			i++
		}
		if i == len(message) {
			break
		}
		if len(out) == maxTokens {
			out = append(out, wildcard)
			break
		}
		j, plain := i, true
		for j < len(message) && message[j] != ' ' && message[j] != '\t' && message[j] != '\r' {
			c := message[j]
			plain = plain && c < 0x80 && (c < '0' || c > '9')
			j++
		}
		if plain {
			out = append(out, message[i:j])
		} else {
			out = append(out, m.mask(message[i:j]))
		}
		i = j
	}
	return out
}

// mask replaces the variable parts of a token. A token is cut at punctuation; parts with
// digits that are no plain word with a trailing ordinal become wildcards.
func (m *masker) mask(token string) string {
	b := m.buf[:0]
	start := 0
	flush := func(end int) {
		switch part := token[start:end]; {
		case part == "":
		case isVariable(part):
			if !bytes.HasSuffix(b, []byte(wildcard)) {
				b = append(b, wildcard...)
			}
		default:
			b = append(b, part...)
		}
	}
	for i := 0; i < len(token); i++ {
		if isSeparator(token[i]) {
			flush(i)
			b = append(b, token[i])
			start = i + 1
		}
	}
	flush(len(token))
	b = joinWildcards(b)
	m.buf = b
	if string(b) == wildcard {
		return wildcard
	}
	if known, ok := m.known[string(b)]; ok {
		return known
	}
	out := string(b)
	if m.known == nil {
		m.known = map[string]string{}
	}
	if len(m.known) < mostMasked && len(out) <= 64 {
		m.known[out] = out
	}
	return out
}

func isSeparator(c byte) bool {
	switch c {
	case '=', ':', ',', ';', '(', ')', '[', ']', '{', '}', '"', '\'', '<', '>', '|', '@', '/', '#', '&', '?', '$', '!':
		return true
	}
	return false
}

// joinWildcards makes one of wildcards that stand side by side: 10.0.0.1:80 and 1/2/3 are one variable each.
func joinWildcards(b []byte) []byte {
	const w = len(wildcard)
	is := func(i int) bool {
		return i+w <= len(b) && b[i] == wildcard[0] && b[i+1] == wildcard[1] && b[i+2] == wildcard[2]
	}
	out := b[:0]
	for i := 0; i < len(b); {
		if !is(i) {
			out = append(out, b[i])
			i++
			continue
		}
		out = append(out, wildcard...)
		i += w
		for i < len(b) && is(i+1) && isJoint(b[i]) {
			i += w + 1
		}
	}
	return out
}

// isJoint says that a character only divides the parts of one variable.
func isJoint(c byte) bool {
	switch c {
	case ':', '/', ',', '|', '@', '#':
		return true
	}
	return false
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
