package telemetry

import (
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// lane normalises texts and attributes, one after the other: several lanes work beside each other. What a lane remembers is only
// what makes it fast; two lanes make the same of the same input.
type lane struct {
	limits  Limits
	strings *interner
	arena   attrArena
	notes   noteCounts
	keys    [2]map[string]*keyRule // by name, and by whether the span is incoming
	first   [2]keyRule             // stands before the first attribute of a set
	raw     []rawAttr              // scratch
	ints    [256]intText
}

func newLane(limits Limits) lane {
	return lane{limits: limits, strings: newInterner(), notes: noteCounts{}}
}

// rawAttr is an attribute as it arrived.
type rawAttr struct {
	key string
	rawValue
}

// rawValue is a value as it arrived: text holds a string or bytes, bits a number or a bool, nested the rest.
type rawValue struct {
	kind   pcommon.ValueType
	text   string
	bits   uint64
	nested pcommon.Value
}

type intText struct {
	n    int64
	text string
}

// keyRule is what becomes of the attributes of one name.
type keyRule struct {
	raw     string // "" where a rule is not to be remembered
	to      string // the current name; "" leaves it out
	name    string // to, with a mark if it is another than raw
	renamed bool
	limit   int               // bytes of a value
	values  map[string]string // values that were renamed
	status  bool              // values are gRPC's codes
	// What followed last, the latest first: senders write the same attributes in the same order, so that looking them up by
	// name is mostly not needed.
	next [2]*keyRule
	// What the last values became, the latest first.
	seen [2]struct{ raw, text string }
}

const (
	// splitKey is the one name that becomes two attributes: path and query in one.
	splitKey = "http.target"
	// shadowMark ends the name of a renamed attribute until it is known that none came under the current name: a value
	// under the current name wins over one under an older name. The mark sorts it directly behind the plain name.
	shadowMark = "\x00"
	keyLength  = 256
	maxRules   = 1 << 12 // for each side
)

// ruleOf finds the rule of a name, which mostly is one of those that followed the rule before.
func (l *lane) ruleOf(before *keyRule, key string, incoming bool) *keyRule {
	if r := before.next[0]; r != nil && r.raw == key {
		return r
	}
	r := before.next[1]
	if r == nil || r.raw != key {
		if r = l.lookUp(key, incoming); r.raw == "" {
			return r
		}
	}
	before.next[0], before.next[1] = r, before.next[0]
	return r
}

func (l *lane) lookUp(key string, incoming bool) *keyRule {
	rules := l.keys[sideOf(incoming)]
	if r := rules[key]; r != nil {
		return r
	}
	r := &keyRule{to: rename(key, incoming), limit: l.limits.Value}
	switch r.to {
	case "":
	case key:
		r.name = l.strings.str(l.cut(key, keyLength)) // which notes what is wrong with it, every time
	default:
		r.name, r.renamed = r.to+shadowMark, true
	}
	switch r.to {
	case AttrDBSystem, AttrMsgOperation, attrTransport:
		r.values = renamedValues[r.to]
	case AttrRPCStatus:
		r.status = true
	case AttrExceptionStack, AttrCodeStack, AttrDBQuery:
		r.limit = l.limits.Stack
	}
	if len(key) <= internLength && len(rules) < maxRules && utf8.ValidString(key) {
		r.raw = strings.Clone(key)
		if r.to == key {
			r.to = r.raw
		}
		if rules == nil {
			rules = map[string]*keyRule{}
			l.keys[sideOf(incoming)] = rules
		}
		rules[r.raw] = r
	}
	return r
}

func sideOf(incoming bool) int {
	if incoming {
		return 1
	}
	return 0
}
