package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// readJSONSettings scans JSON with byte positions, which encoding/json does not give for values.
// Comments and trailing commas are let pass: configuration files have them.
func readJSONSettings(src []byte) ([]setting, error) {
	s := &jsonScan{src: src}
	s.space()
	if err := s.value(nil); err != nil {
		return nil, err
	}
	s.space()
	if s.at != len(src) {
		return nil, s.fail("text after the end")
	}
	return s.out, nil
}

type jsonScan struct {
	src []byte
	at  int
	out []setting
}

func (s *jsonScan) fail(what string) error { return fmt.Errorf("%s at byte %d", what, s.at) }

func (s *jsonScan) peek() byte {
	if s.at < len(s.src) {
		return s.src[s.at]
	}
	return 0
}

func (s *jsonScan) space() {
	for s.at < len(s.src) {
		switch c := s.src[s.at]; {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			s.at++
		case s.at == 0 && len(s.src) >= 3 && string(s.src[:3]) == "\ufeff":
			s.at = 3
		case c == '/' && s.at+1 < len(s.src) && s.src[s.at+1] == '/':
			for s.at < len(s.src) && s.src[s.at] != '\n' {
				s.at++
			}
		case c == '/' && s.at+1 < len(s.src) && s.src[s.at+1] == '*':
			s.at += 2
			for s.at < len(s.src) && !(s.src[s.at] == '/' && s.src[s.at-1] == '*' && s.at > 2) {
				s.at++
			}
			s.at = min(s.at+1, len(s.src))
		default:
			return
		}
	}
}

func (s *jsonScan) value(path []string) error {
	if len(path) > maxSettingDepth || len(s.out) > maxSettings {
		return errTooManySettings
	}
	switch c := s.peek(); {
	case c == '{':
		return s.object(path)
	case c == '[':
		return s.array(path)
	case c == '"':
		from := s.at
		text, err := s.text()
		if err != nil {
			return err
		}
		s.add(path, text, from)
		return nil
	default:
		from := s.at
		for s.at < len(s.src) && (s.src[s.at] == '-' || s.src[s.at] == '+' || s.src[s.at] == '.' || isAlnum(s.src[s.at])) {
			s.at++
		}
		raw := s.src[from:s.at]
		if !json.Valid(raw) {
			s.at = from
			return s.fail("no value")
		}
		s.add(path, string(raw), from)
		return nil
	}
}

func (s *jsonScan) add(path []string, text string, from int) {
	s.out = append(s.out, setting{Path: slices.Clone(path), Text: text, Raw: string(s.src[from:s.at]), From: from, To: s.at})
}

func (s *jsonScan) object(path []string) error {
	s.at++
	seen := map[string]bool{}
	for {
		s.space()
		if s.peek() == '}' {
			s.at++
			return nil
		}
		if s.peek() != '"' {
			return s.fail("no key")
		}
		key, err := s.text()
		if err != nil {
			return err
		}
		if seen[key] {
			return s.fail("a key stands twice")
		}
		seen[key] = true
		s.space()
		if s.peek() != ':' {
			return s.fail("no colon")
		}
		s.at++
		s.space()
		if err := s.value(append(slices.Clip(path), key)); err != nil {
			return err
		}
		if done, err := s.next('}'); done || err != nil {
			return err
		}
	}
}

func (s *jsonScan) array(path []string) error {
	s.at++
	for i := 0; ; i++ {
		s.space()
		if s.peek() == ']' {
			s.at++
			return nil
		}
		if err := s.value(append(slices.Clip(path), "#"+strconv.Itoa(i))); err != nil {
			return err
		}
		if done, err := s.next(']'); done || err != nil {
			return err
		}
	}
}

func (s *jsonScan) next(end byte) (bool, error) {
	s.space()
	switch s.peek() {
	case ',':
		s.at++
		return false, nil
	case end:
		s.at++
		return true, nil
	}
	return false, s.fail("no comma")
}

func (s *jsonScan) text() (string, error) {
	from := s.at
	s.at++
	for s.at < len(s.src) {
		switch s.src[s.at] {
		case '\\':
			s.at += 2
			continue
		case '"':
			s.at++
			var text string
			if err := json.Unmarshal(s.src[from:s.at], &text); err != nil {
				return "", errors.New("a string that is not one")
			}
			return text, nil
		}
		s.at++
	}
	s.at = len(s.src)
	return "", s.fail("a string without end")
}

func isAlnum(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
}
