package patch

import (
	"bytes"
	"fmt"
	"strings"
)

// DeclareFlag adds a boolean flag to a file of flagd definitions in JSON (flagd.dev/schema/v0/flags.json), as the last
// one, and returns the file with the flag off and with it on. All other bytes stay.
func DeclareFlag(src []byte, name string) (off, on []byte, err error) {
	all, err := readSettings("flags.json", src)
	if err != nil {
		return nil, nil, err
	}
	last := -1
	for i, s := range all {
		if len(s.Path) < 3 || s.Path[0] != "flags" {
			continue
		}
		if s.Path[1] == name {
			return nil, nil, fmt.Errorf("the flag %s is declared already", showFlag(name))
		}
		last = i
	}
	if last < 0 {
		return nil, nil, fmt.Errorf("the flag file declares no flag in flagd's form, so where to add one is not evident")
	}
	// Behind the last flag's last value its own closing braces follow.
	at := all[last].To
	for depth := len(all[last].Path) - 2; depth > 0 && at < len(src); at++ {
		switch src[at] {
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		}
	}
	// Indented as the last flag's key.
	key := bytes.LastIndex(src[:all[last].From], fmt.Appendf(nil, "%q", all[last].Path[1]))
	if key < 0 {
		return nil, nil, fmt.Errorf("the last flag of the file is not written plainly")
	}
	line := bytes.LastIndexByte(src[:key], '\n') + 1
	indent := string(src[line:key])
	if strings.Trim(indent, " \t") != "" {
		indent = "    "
	}
	write := func(variant string) []byte {
		text := fmt.Sprintf(",\n%[1]s%[2]q: {\n%[1]s  \"state\": \"ENABLED\",\n%[1]s  \"variants\": {\"on\": true, \"off\": false},\n%[1]s  \"defaultVariant\": %[3]q\n%[1]s}", indent, name, variant)
		return append(append(bytes.Clone(src[:at]), text...), src[at:]...)
	}
	off, on = write("off"), write("on")
	after, err := readSettings("flags.json", off)
	if err != nil || len(after) != len(all)+4 {
		return nil, nil, fmt.Errorf("the flag file is not plain JSON")
	}
	if k := after[len(after)-1].Key(); k != "flags\x00"+name+"\x00defaultVariant" {
		return nil, nil, fmt.Errorf("the flag file is not plain JSON")
	}
	for i, s := range all {
		if after[i].Key() != s.Key() || after[i].Raw != s.Raw {
			return nil, nil, fmt.Errorf("the flag file is not plain JSON")
		}
	}
	return off, on, nil
}
