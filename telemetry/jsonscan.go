package telemetry

import (
	"bytes"
	"errors"
)

// errNotJSON is what the scan of a value says about bytes that make no sense. Most mistakes are left to the decoder
// that gets the parts.
var errNotJSON = errors.New("not JSON")

// eachField calls visit with every key and value of a JSON object, neither of them decoded.
func eachField(object []byte, visit func(key, value []byte) error) error {
	if len(object) < 2 || object[0] != '{' {
		return errNotJSON
	}
	i := skipSpace(object, 1)
	for i < len(object) && object[i] != '}' {
		end := valueEnd(object, i)
		if object[i] != '"' || end < 0 {
			return errNotJSON
		}
		key := object[i+1 : end-1]
		if i = skipSpace(object, end); i >= len(object) || object[i] != ':' {
			return errNotJSON
		}
		i = skipSpace(object, i+1)
		if end = valueEnd(object, i); end < 0 {
			return errNotJSON
		}
		if err := visit(key, object[i:end]); err != nil {
			return err
		}
		if i = skipSpace(object, end); i < len(object) && object[i] == ',' {
			i = skipSpace(object, i+1)
		}
	}
	return atEnd(object, i)
}

// eachElement calls visit with every element of a JSON list, not decoded.
func eachElement(list []byte, visit func(value []byte) error) error {
	if len(list) < 2 || list[0] != '[' {
		return errNotJSON
	}
	i := skipSpace(list, 1)
	for i < len(list) && list[i] != ']' {
		end := valueEnd(list, i)
		if end < 0 {
			return errNotJSON
		}
		if err := visit(list[i:end]); err != nil {
			return err
		}
		if i = skipSpace(list, end); i < len(list) && list[i] == ',' {
			i = skipSpace(list, i+1)
		}
	}
	return atEnd(list, i)
}

// atEnd checks that the bracket at i is the last of the value.
func atEnd(value []byte, i int) error {
	if i >= len(value) || skipSpace(value, i+1) != len(value) {
		return errNotJSON
	}
	return nil
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\t' || b[i] == '\r') {
		i++
	}
	return i
}

// valueEnd is the index behind the JSON value that begins at i, -1 when there is none. It goes by brackets and
// quotes alone.
func valueEnd(b []byte, i int) int {
	if i >= len(b) {
		return -1
	}
	switch b[i] {
	case '"':
		for i++; i < len(b); i++ {
			switch b[i] {
			case '\\':
				i++
			case '"':
				return i + 1
			}
		}
		return -1
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				if i = valueEnd(b, i); i < 0 {
					return -1
				}
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return -1
	}
	n := bytes.IndexAny(b[i:], ",:{}[]\" \t\r\n")
	if n < 0 {
		return len(b)
	}
	if n == 0 {
		return -1
	}
	return i + n
}
