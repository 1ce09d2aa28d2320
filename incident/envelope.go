package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// envelope is a body together with what is needed to read it. It is how a body whose format does not show
// from its content is kept, in a queue and as alert.json of an incident directory.
type envelope struct {
	Version int             `json:"remediator_alert"`
	Format  string          `json:"format"`
	Mapping Mapping         `json:"mapping,omitempty"`
	Body    json.RawMessage `json:"body"` // the body as a string, or written out by hand as JSON

	body []byte
}

const envelopeVersion = 1

// mark is how an envelope begins.
var mark = regexp.MustCompile(`^\s*\{\s*"remediator_alert"\s*:`)

// maxEnvelope leaves room for what JSON adds to a body of MaxBody: a control character becomes six bytes.
const maxEnvelope = 6*MaxBody + 64<<10

// enclosed says whether a body is an envelope.
func enclosed(body []byte) bool { return mark.Match(body) }

// Enclose returns a body that [Parse] reads as [ParseAs] read the given one with its format and
// mapping: the body itself where its content tells the format, else an envelope around it.
func Enclose(format string, body []byte, m Mapping) []byte {
	switch format {
	case Alertmanager, Grafana, PagerDuty: // ParseAs refuses a body of theirs that does not show it
		return body
	}
	if enclosed(body) {
		return body
	}
	if fields, err := topLevel(body); err == nil && detect(fields) == format {
		return body
	}
	if !utf8.Valid(body) {
		return body // cannot be parsed either way
	}
	quoted, err := encode(string(body))
	if err != nil {
		return body
	}
	out, err := encode(envelope{Version: envelopeVersion, Format: format, Mapping: m, Body: quoted})
	if err != nil {
		return body
	}
	return out
}

// encode writes JSON without escaping what HTML would need.
func encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

func open(body []byte) (*envelope, error) {
	if len(body) > maxEnvelope {
		return nil, fmt.Errorf("enclosed alert body is larger than %d MiB", MaxBody>>20)
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil {
		return nil, fmt.Errorf("enclosed alert body cannot be read: %w", describe(err))
	}
	switch {
	case e.Version != envelopeVersion:
		return nil, fmt.Errorf("enclosed alert body has the version %d: version %d is read", e.Version, envelopeVersion)
	case !slices.Contains(formats, e.Format):
		return nil, fmt.Errorf("enclosed alert body has the unknown format %q: use one of %s", clip(e.Format, 20), strings.Join(formats, ", "))
	}
	e.body = e.Body
	if bytes.HasPrefix(e.Body, []byte(`"`)) {
		e.body = []byte(literal(e.Body))
	}
	if enclosed(e.body) {
		return nil, errors.New("alert body is enclosed twice: send it as it is")
	}
	return &e, nil
}
