package telemetry

import (
	"encoding/base64"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// attrs converts, renames, bounds and sorts attributes.
func (r *Reader) attrs(in pcommon.Map, incoming bool) Attrs {
	n := in.Len()
	if n == 0 {
		return nil
	}
	out := r.arena.room(min(n, r.limits.Attributes) + 2)
	renamed := false
	add := func(k, v string, old bool) {
		if old {
			// A value under the current name wins over one under an older name.
			renamed = true
			k += "\x00"
		}
		out = append(out, Attr{k, v})
	}
	count := 0
	for k, v := range in.All() {
		if count++; count > r.limits.Attributes {
			r.notes.add(NoteCut, n-r.limits.Attributes)
			break
		}
		switch k {
		case "http.target": // path and query in one
			path, query, ok := strings.Cut(r.text(k, v), "?")
			add(AttrURLPath, r.strings.str(path), true)
			if ok {
				add(AttrURLQuery, query, true)
			}
			continue
		case "":
			continue
		}
		to := rename(k, incoming)
		if to == "" {
			continue
		}
		if to == k {
			add(r.strings.str(r.cut(k, 256)), r.value(to, v), false)
			continue
		}
		add(to, r.value(to, v), true)
	}
	out = sortAttrs(out)
	if renamed {
		out = dropShadowed(out)
	}
	return r.arena.keep(out)
}

// dropShadowed removes the marks of renamed keys, and the renamed attributes whose current
// name is present as well. The mark sorts directly behind the plain key.
func dropShadowed(in Attrs) Attrs {
	out := in[:0]
	for _, a := range in {
		k := strings.TrimSuffix(a.Key, "\x00")
		if len(out) > 0 && out[len(out)-1].Key == k {
			continue
		}
		out = append(out, Attr{k, a.Value})
	}
	return out
}

// value is the text of a value, with codes written as their names.
func (r *Reader) value(key string, v pcommon.Value) string {
	switch key {
	case AttrDBSystem, AttrMsgOperation, "network.transport":
		s := r.text(key, v)
		if now, ok := renamedValues[key][s]; ok {
			return now
		}
		return s
	case AttrRPCStatus:
		s := v.AsString()
		if n, err := strconv.Atoi(s); err == nil && n >= 0 && n < len(grpcCodes) {
			return grpcCodes[n]
		}
		return r.strings.str(r.cut(strings.ToUpper(s), 64))
	}
	return r.text(key, v)
}

// text is the text of a value, bounded.
func (r *Reader) text(key string, v pcommon.Value) string {
	switch v.Type() {
	case pcommon.ValueTypeStr:
		limit := r.limits.Value
		if key == AttrExceptionStack || key == AttrCodeStack || key == AttrDBQuery {
			limit = r.limits.Stack
		}
		return r.strings.str(r.cut(v.Str(), limit))
	case pcommon.ValueTypeBool:
		if v.Bool() {
			return "true"
		}
		return "false"
	case pcommon.ValueTypeInt:
		return r.strings.str(strconv.FormatInt(v.Int(), 10))
	case pcommon.ValueTypeDouble:
		return number(v.Double())
	case pcommon.ValueTypeBytes:
		return r.cut(base64.StdEncoding.EncodeToString(v.Bytes().AsRaw()), r.limits.Value)
	case pcommon.ValueTypeEmpty:
		return ""
	}
	return r.cut(v.AsString(), r.limits.Value)
}

func (r *Reader) cut(s string, n int) string {
	if !utf8.ValidString(s) {
		r.notes.add(NoteInvalidText, 1)
		s = strings.ToValidUTF8(s[:min(len(s), n)], "\ufffd")
	}
	out, was := cut(s, n)
	if was {
		r.notes.add(NoteCut, 1)
	}
	return out
}

func number(f float64) string { return strconv.FormatFloat(f, 'g', -1, 64) }
