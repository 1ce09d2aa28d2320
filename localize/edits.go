package localize

import (
	"slices"
	"strings"
)

// reports says that a line of code only tells others what happens: it logs, counts or marks a span.
func reports(l string) bool {
	if isLogging(l) {
		return true
	}
	if strings.HasPrefix(l, "return") || strings.HasPrefix(l, "if") || strings.Contains(l, " = ") || strings.Contains(l, ":=") {
		return false
	}
	last := ""
	if i := strings.LastIndexByte(l, '('); i > 0 {
		j := i
		for j > 0 && isWordByte(l[j-1]) {
			j--
		}
		last = strings.ToLower(l[j:i])
	}
	switch last {
	case "inc", "increment", "observe", "setattribute", "setattributes", "set_attribute", "addevent", "add_event", "recorderror", "record_exception", "recordexception":
		return true
	case "add", "record":
		return slices.ContainsFunc(nameWords(l), func(w string) bool {
			return w == "metric" || w == "metrics" || w == "meter" || w == "counter" || w == "histogram"
		})
	}
	return false
}

// failingShape is a line that ends its function with an error, without the words that the error is given; ok is false for other
// lines. What an error is wrapped in is for people: the work fails as before.
func failingShape(l string) (shape string, ok bool) {
	l = strings.TrimRight(l, "; ")
	if l == "raise" || strings.HasPrefix(l, "raise ") || strings.HasPrefix(l, "throw ") {
		return "throw", true
	}
	if !strings.HasPrefix(l, "return ") {
		return "", false
	}
	// The last value of the first level.
	depth, from := 0, len("return ")
	for i := from; i < len(l); i++ {
		switch l[i] {
		case '(', '[', '{':
			depth++
		case ')', ']', '}':
			depth--
		case ',':
			if depth == 0 {
				from = i + 1
			}
		}
	}
	if !slices.Contains(tokens(l[from:]), "err") {
		return "", false
	}
	if value := strings.TrimSpace(l[from:]); value != "err" && !strings.Contains(value, "Errorf(") && !strings.Contains(value, "Wrap") && !strings.Contains(value, "errors.Join(") {
		return "", false
	}
	return l[:from] + "err", true
}

// rewritten counts statements that compute the same thing in another way: the target of the assignment, the key or
// the keyword stayed and what stands behind it did not. A literal that got a name is none.
func rewritten(removed, added []string) float64 {
	same := map[string]int{} // lines that merely moved
	for _, l := range added {
		same[l]++
	}
	stayed := map[string]int{}
	old := map[string][]string{}
	for _, l := range removed {
		if same[l] > stayed[l] {
			stayed[l]++
			continue
		}
		if head, tail, ok := assignment(l); ok {
			old[head] = append(old[head], tail)
		}
	}
	n := 0.0
	for _, l := range added {
		if stayed[l] > 0 {
			stayed[l]--
			continue
		}
		head, tail, ok := assignment(l)
		if !ok || len(old[head]) == 0 {
			continue
		}
		before := old[head][0]
		old[head] = old[head][1:]
		x, y := tokens(before), tokens(tail)
		if slices.Equal(x, y) || len(x) <= 1 && len(y) <= 1 {
			continue
		}
		n++
	}
	return n
}

// assignment splits a line into what it sets or does and how.
func assignment(l string) (head, tail string, ok bool) {
	for _, k := range []string{"return ", "if ", "if (", "while ", "while ("} {
		if rest, found := strings.CutPrefix(l, k); found {
			return strings.TrimRight(k, " ("), rest, true
		}
	}
	for _, sep := range []string{" := ", " = ", ": "} {
		if i := strings.Index(l, sep); i > 0 && !strings.ContainsAny(l[:i], "()\"'`") {
			return strings.TrimSpace(l[:i]), l[i+len(sep):], true
		}
	}
	return "", "", false
}

// serialises says that new lines let one request wait for another where the old ones did not.
func serialises(removed, added []string) bool {
	locks := func(lines []string) float64 {
		return count(lines, func(l string) bool {
			words := nameWords(l)
			if slices.Contains(words, "unlock") {
				return false
			}
			return slices.ContainsFunc(words, func(w string) bool {
				switch w {
				case "synchronized", "mutex", "lock", "rlock", "exclusive", "serializable", "semaphore":
					return true
				}
				return false
			}) || strings.Contains(strings.ToLower(l), "for update")
		})
	}
	return locks(added) > locks(removed)
}

// disruptive says that a line of a migration takes away what is in use, or locks it while it runs.
func disruptive(l string) bool {
	lower := strings.ToLower(strings.ReplaceAll(l, "_", " "))
	takes := strings.Contains(lower, "drop ") || strings.Contains(lower, "remove ") || strings.Contains(lower, "rename ")
	of := slices.ContainsFunc([]string{"index", "column", "table", "constraint", "key", "view", "trigger"}, func(w string) bool { return strings.Contains(lower, w) })
	locks := strings.Contains(lower, "alter table") || strings.Contains(lower, "lock table") || strings.Contains(lower, "create index") && !strings.Contains(lower, "concurrently")
	return takes && of || locks
}
