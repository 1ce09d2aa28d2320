package telemetry

import (
	"encoding/base64"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// attrs converts, renames, bounds and sorts attributes.
func (l *lane) attrs(in pcommon.Map, incoming bool) Attrs {
	n := in.Len()
	if n == 0 {
		return nil
	}
	raw := l.raw[:0]
	for k, v := range in.All() {
		if len(raw) == l.limits.Attributes {
			break
		}
		raw = append(raw, rawAttr{k, rawOf(v)})
	}
	l.raw = raw
	return l.normalise(raw, n, incoming)
}

// rawOf takes a value of pdata as it is.
func rawOf(v pcommon.Value) rawValue {
	raw := rawValue{kind: v.Type()}
	switch raw.kind {
	case pcommon.ValueTypeStr:
		raw.text = v.Str()
	case pcommon.ValueTypeBool:
		if v.Bool() {
			raw.bits = 1
		}
	case pcommon.ValueTypeInt:
		raw.bits = uint64(v.Int()) // its bits
	case pcommon.ValueTypeDouble:
		raw.bits = math.Float64bits(v.Double())
	case pcommon.ValueTypeBytes:
		raw.text = string(v.Bytes().AsRaw())
	default:
		raw.nested = v
	}
	return raw
}

// normalise makes attributes of the first of n.
func (l *lane) normalise(in []rawAttr, n int, incoming bool) Attrs {
	if n > l.limits.Attributes {
		l.notes.add(NoteCut, n-l.limits.Attributes)
		in = in[:l.limits.Attributes]
	}
	out := l.arena.room(len(in) + 2)
	renamed := false
	before := &l.first[sideOf(incoming)]
	for i := range in {
		switch in[i].key {
		case splitKey:
			renamed = true
			path, query, ok := strings.Cut(l.text(&in[i].rawValue, l.limits.Value), "?")
			out = append(out, Attr{AttrURLPath + shadowMark, l.strings.str(path)})
			if ok {
				out = append(out, Attr{AttrURLQuery + shadowMark, query})
			}
			continue
		case "":
			continue
		}
		rule := l.ruleOf(before, in[i].key, incoming)
		if rule.raw != "" {
			before = rule
		}
		if rule.to == "" {
			continue
		}
		renamed = renamed || rule.renamed
		out = append(out, Attr{rule.name, l.value(rule, &in[i].rawValue)})
	}
	out = sortAttrs(out)
	if renamed {
		out = dropShadowed(out)
	}
	return l.arena.keep(out)
}

// dropShadowed removes the marks of renamed keys, and the renamed attributes whose current
// name is present as well.
func dropShadowed(in Attrs) Attrs {
	out := in[:0]
	for _, a := range in {
		k := strings.TrimSuffix(a.Key, shadowMark)
		if len(out) > 0 && out[len(out)-1].Key == k {
			continue
		}
		out = append(out, Attr{k, a.Value})
	}
	return out
}

// value is the text of a value, with codes written as their names. A short string that came lately is not looked at again.
func (l *lane) value(rule *keyRule, v *rawValue) string {
	if v.kind != pcommon.ValueTypeStr || len(v.text) > min(internLength, rule.limit) {
		return l.convert(rule, v)
	}
	if rule.seen[0].raw == v.text {
		return rule.seen[0].text
	}
	if rule.seen[1].raw == v.text {
		rule.seen[0], rule.seen[1] = rule.seen[1], rule.seen[0]
		return rule.seen[0].text
	}
	text := l.convert(rule, v)
	raw := text
	if text != v.text {
		if rule.values == nil && !rule.status || len(v.text) > statusLength || !utf8.ValidString(v.text) {
			return text // something was wrong with it, which is to be noted every time
		}
		raw = strings.Clone(v.text)
	}
	rule.seen[0], rule.seen[1] = struct{ raw, text string }{raw, text}, rule.seen[0]
	return text
}

// statusLength bounds the name of a gRPC code.
const statusLength = 64

func (l *lane) convert(rule *keyRule, v *rawValue) string {
	switch {
	case rule.values != nil:
		s := l.text(v, rule.limit)
		if now, ok := rule.values[s]; ok {
			return now
		}
		return s
	case rule.status:
		s := v.asString()
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(grpcCodes) {
			return grpcCodes[n]
		}
		return l.strings.str(l.cut(strings.ToUpper(s), statusLength))
	}
	return l.text(v, rule.limit)
}

// text is the text of a value, of at most limit bytes if it is a string.
func (l *lane) text(v *rawValue, limit int) string {
	switch v.kind {
	case pcommon.ValueTypeStr:
		return l.strings.str(l.cut(v.text, limit))
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.bits != 0)
	case pcommon.ValueTypeInt:
		return l.integer(int64(v.bits)) // its bits
	case pcommon.ValueTypeDouble:
		return number(math.Float64frombits(v.bits))
	case pcommon.ValueTypeBytes:
		return l.cut(base64.StdEncoding.EncodeToString([]byte(v.text)), l.limits.Value)
	case pcommon.ValueTypeEmpty:
		return ""
	}
	return l.cut(v.nested.AsString(), l.limits.Value)
}

// asString is the text of a value as pdata writes it.
func (v *rawValue) asString() string {
	switch v.kind {
	case pcommon.ValueTypeStr:
		return v.text
	case pcommon.ValueTypeBool:
		return strconv.FormatBool(v.bits != 0)
	case pcommon.ValueTypeInt:
		return strconv.FormatInt(int64(v.bits), 10) // its bits
	case pcommon.ValueTypeDouble:
		return pcommon.NewValueDouble(math.Float64frombits(v.bits)).AsString()
	case pcommon.ValueTypeBytes:
		return base64.StdEncoding.EncodeToString([]byte(v.text))
	case pcommon.ValueTypeEmpty:
		return ""
	}
	return v.nested.AsString()
}

// integer writes a number; the same few come again and again.
func (l *lane) integer(n int64) string {
	known := &l.ints[uint8(n)] // its low bits
	if known.text == "" || known.n != n {
		*known = intText{n, strconv.FormatInt(n, 10)}
	}
	return known.text
}

func (l *lane) cut(s string, n int) string {
	if !utf8.ValidString(s) {
		l.notes.add(NoteInvalidText, 1)
		s = strings.ToValidUTF8(s[:min(len(s), n)], "\ufffd")
	}
	out, was := cut(s, n)
	if was {
		l.notes.add(NoteCut, 1)
	}
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
