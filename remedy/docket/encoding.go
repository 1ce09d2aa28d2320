package docket

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// ErrDamaged marks a record that is stored but cannot be read.
var ErrDamaged = errors.New("the stored record is damaged")

// EncodeRecord writes a record the way a [Store] keeps it.
func EncodeRecord(r *Record) ([]byte, error) {
	b, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("writing the record of %s: %w", r.Fingerprint, err)
	}
	return b, nil
}

// DecodeRecord reads what EncodeRecord wrote under a fingerprint. Its errors wrap [ErrDamaged].
func DecodeRecord(fingerprint string, data []byte, revision uint64) (*Record, error) {
	var r Record
	if err := json.Unmarshal(data, &r); err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrDamaged, fingerprint, err)
	}
	switch {
	case r.Schema != RecordSchema:
		return nil, fmt.Errorf("%w: %s: schema %.40q, where this version writes %q", ErrDamaged, fingerprint, r.Schema, RecordSchema)
	case r.Fingerprint != fingerprint:
		return nil, fmt.Errorf("%w: %s holds the record of %.40q", ErrDamaged, fingerprint, r.Fingerprint)
	case !r.Stage.known():
		return nil, fmt.Errorf("%w: %s: stage %.40q", ErrDamaged, fingerprint, r.Stage)
	}
	r.Revision = revision
	return &r, nil
}

// Damaged stands for a record that cannot be decoded, so that lists show it. It must not be stored.
func Damaged(fingerprint string, why error) *Record {
	return &Record{Schema: RecordSchema, Fingerprint: fingerprint, Stage: Failed, Failure: why.Error()}
}

func (s Stage) known() bool {
	switch s {
	case Queued, Running, Held, Writing, Proposed:
		return true
	}
	return s.Ended()
}

// decode reads the body of a task or a claim, which this tool wrote; what it does not know is an error.
func decode(what string, data []byte, into any) error {
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(into); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrDamaged, what, err)
	}
	return nil
}
