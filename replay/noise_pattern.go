package replay

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// classify names the narrowest rule that covers all the values.
func classify(docs []any) (rule, pattern, why string) {
	texts := make([]string, 0, len(docs))
	uuids, times, numbers, strs := true, true, true, true
	for _, d := range docs {
		s, isString := d.(string)
		texts = append(texts, s)
		strs = strs && isString
		uuids = uuids && isString && isUUID(s)
		times = times && isTimestamp(d) && typeName(d) == typeName(docs[0])
		numbers = numbers && isNumeric(d) && typeName(d) == typeName(docs[0])
	}
	switch {
	case uuids:
		return "uuid", "", "a new UUID each time"
	case times:
		return "timestamp", "", "the time of the exchange"
	case numbers:
		return "numeric", "", "a number that varies"
	case strs:
		if p := commonPattern(texts); p != "" {
			return "regex", p, "generated, always of this form"
		}
		return "presence", "", "text that varies"
	}
	for _, d := range docs[1:] {
		if typeName(d) != typeName(docs[0]) {
			return "ignore", "", "varies in type"
		}
	}
	return "presence", "", "varies"
}

// commonPattern describes generated identifiers: a fixed beginning and end around a stretch of one character class. It is
// empty for free text, which no pattern describes.
func commonPattern(values []string) string {
	prefix, suffix := values[0], values[0]
	for _, v := range values[1:] {
		prefix = prefix[:commonLen(prefix, v, false)]
		suffix = suffix[len(suffix)-commonLen(suffix, v, true):]
	}
	// Digits and letters that agree by chance belong to the varying stretch.
	prefix = prefix[:strings.LastIndexAny(prefix, "-_:./#")+1]
	if i := strings.IndexAny(suffix, "-_:./#"); i >= 0 {
		suffix = suffix[i:]
	} else {
		suffix = ""
	}
	shortest, longest := -1, 0
	classes := []string{"[0-9]", "[0-9a-f]", "[0-9A-F]", "[0-9A-Za-z]", "[0-9A-Za-z_-]"}
	for _, v := range values {
		if len(prefix)+len(suffix) >= len(v) {
			return ""
		}
		middle := v[len(prefix) : len(v)-len(suffix)]
		if shortest < 0 || len(middle) < shortest {
			shortest = len(middle)
		}
		longest = max(longest, len(middle))
		// Every class is asked about every value: none contains all of those before it.
		classes = slices.DeleteFunc(classes, func(class string) bool { return !regexp.MustCompile(`^` + class + `+$`).MatchString(middle) })
	}
	// Words of a language are letters too: without a digit in any value it is text.
	if len(classes) == 0 || longest > 256 || !strings.ContainsAny(strings.Join(values, ""), "0123456789") {
		return ""
	}
	repeat := "+"
	if shortest == longest {
		repeat = fmt.Sprintf("{%d}", longest)
	}
	return regexp.QuoteMeta(prefix) + classes[0] + repeat + regexp.QuoteMeta(suffix)
}

func commonLen(a, b string, fromEnd bool) int {
	n := 0
	for n < len(a) && n < len(b) {
		x, y := a[n], b[n]
		if fromEnd {
			x, y = a[len(a)-1-n], b[len(b)-1-n]
		}
		if x != y {
			break
		}
		n++
	}
	return n
}
