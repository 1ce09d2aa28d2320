package gorecipe

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// addFlag adds a boolean flag to a file in flagd's JSON format (https://flagd.dev/reference/flag-definitions/) and
// returns the file with the flag off and with it on. All other bytes stay what they were.
func addFlag(src []byte, name string) (off, on []byte, err error) {
	at, empty, err := flagsStart(src)
	if err != nil {
		return nil, nil, err
	}
	// The new flag goes first and is indented as the one that was first.
	inner := "    "
	if rest := src[at:]; !empty {
		trimmed := bytes.TrimLeft(rest, " \t\r\n")
		gap := string(rest[:len(rest)-len(trimmed)])
		if i := strings.LastIndexByte(gap, '\n'); i >= 0 {
			inner = gap[i+1:]
		}
	}
	write := func(variant string) []byte {
		text := fmt.Sprintf("\n%[1]s%[2]q: {\n%[1]s  \"state\": \"ENABLED\",\n%[1]s  \"variants\": {\"on\": true, \"off\": false},\n%[1]s  \"defaultVariant\": %[3]q\n%[1]s}", inner, name, variant)
		if empty {
			text += "\n"
		} else {
			text += ","
		}
		return append(append(bytes.Clone(src[:at]), text...), src[at:]...)
	}
	off, on = write("off"), write("on")
	if !json.Valid(off) || !json.Valid(on) {
		return nil, nil, fmt.Errorf("the flag file is not plain JSON")
	}
	return off, on, nil
}

// flagsStart is the offset behind the brace that opens the top-level object "flags".
func flagsStart(src []byte) (at int, empty bool, err error) {
	dec := json.NewDecoder(bytes.NewReader(src))
	depth, key := 0, false
	for {
		token, err := dec.Token()
		if err != nil {
			return 0, false, fmt.Errorf("the flag file holds no object \"flags\": %w", err)
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{', '[':
				depth++
				if key && t == '{' && depth == 2 {
					return int(dec.InputOffset()), !dec.More(), nil
				}
			default:
				depth--
			}
			key = false
		case string:
			// Values that are strings are told from keys by what the decoder is inside of; a value "flags"
			// followed by an object cannot be.
			key = depth == 1 && t == "flags"
		default:
			key = false
		}
	}
}
