package replay

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
)

// maxJSONDepth bounds nesting in anything that is parsed here.
const maxJSONDepth = 100

// decodeJSON decodes one JSON document, keeping numbers as they were written and
// refusing duplicate keys, which parsers resolve differently and which therefore can hide things.
func decodeJSON(data []byte) (any, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec, nil)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("more than one JSON document")
	}
	return v, nil
}

func decodeValue(dec *json.Decoder, at pointer) (any, error) {
	if len(at) > maxJSONDepth {
		return nil, fmt.Errorf("nested deeper than %d", maxJSONDepth)
	}
	tok, err := dec.Token()
	if err != nil {
		return nil, jsonError(err, at)
	}
	delim, ok := tok.(json.Delim)
	if !ok {
		return tok, nil
	}
	if delim == '[' {
		list := []any{}
		for i := 0; dec.More(); i++ {
			v, err := decodeValue(dec, at.child(fmt.Sprint(i)))
			if err != nil {
				return nil, err
			}
			list = append(list, v)
		}
		if _, err := dec.Token(); err != nil {
			return nil, jsonError(err, at)
		}
		return list, nil
	}
	object := map[string]any{}
	for dec.More() {
		tok, err := dec.Token()
		if err != nil {
			return nil, jsonError(err, at)
		}
		key, ok := tok.(string)
		if !ok {
			return nil, jsonError(fmt.Errorf("a key is not a string"), at)
		}
		if _, ok := object[key]; ok {
			return nil, fmt.Errorf("%s: key %q occurs twice (remove one)", place(at), clip(key, 60))
		}
		v, err := decodeValue(dec, at.child(key))
		if err != nil {
			return nil, err
		}
		object[key] = v
	}
	if _, err := dec.Token(); err != nil {
		return nil, jsonError(err, at)
	}
	return object, nil
}

func jsonError(err error, at pointer) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("%s: the document ends too early (was the file cut off?)", place(at))
	}
	return fmt.Errorf("%s: %w", place(at), err)
}

// place names a pointer in messages; the root has no text of its own.
func place(at pointer) string {
	if len(at) == 0 {
		return "the document"
	}
	return at.String()
}

// canonicalJSON writes a document with sorted keys, no white space and no HTML escapes. Numbers stay as they were
// written: RFC 8785 would round them to float64 and hide changes beyond its precision.
func canonicalJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// digest is the integrity value of cases: SHA-256 of their canonical JSON.
func digest(cases []Case) (string, error) {
	raw, err := canonicalJSON(cases)
	if err != nil {
		return "", err
	}
	v, err := decodeJSON(raw) // struct order becomes key order
	if err != nil {
		return "", err
	}
	raw, err = canonicalJSON(v)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(raw)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
