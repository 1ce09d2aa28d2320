package incident

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxBody is the largest alert body that is read. Alertmanager groups of several
// thousand alerts stay below it.
const MaxBody = 8 << 20

// ErrNoIncident is wrapped by the errors of [Parse] and [ParseAs] for a notification that is in order and
// about no incident, such as a test of the connection. Its sender must not be asked to send it again.
var ErrNoIncident = errors.New("about no incident")

// Parse reads one alert body of any format that can be told by its content; the format generic only in
// the form that [Enclose] gives it. Its errors name what was found and what to send instead.
func Parse(body []byte) (Incident, error) {
	return read("", body, nil)
}

// ParseAs reads one alert body of a named format. The mapping is for the format generic alone. What
// Enclose made is read too, if it is of this format.
func ParseAs(format string, body []byte, m Mapping) (Incident, error) {
	if !slices.Contains(formats, format) {
		return Incident{}, fmt.Errorf("unknown alert format %q: use one of %s", clip(format, 20), strings.Join(formats, ", "))
	}
	return read(format, body, m)
}

// read reads a body. format "" means that the content decides.
func read(format string, body []byte, m Mapping) (Incident, error) {
	var e *envelope
	if enclosed(body) {
		var err error
		if e, err = open(body); err != nil {
			return Incident{}, err
		}
		switch {
		case format != "" && format != e.Format:
			return Incident{}, fmt.Errorf("alert body was enclosed as %s, not as %s: send the body as it is", e.Format, format)
		case len(m) > 0 && !maps.Equal(m, e.Mapping):
			return Incident{}, errors.New("alert body was enclosed with another mapping: send the body as it is")
		}
		format, m, body = e.Format, e.Mapping, e.body
	}
	fields, err := topLevel(body)
	if err != nil {
		return Incident{}, err
	}
	looks := detect(fields)
	switch {
	case looks == "" && (format == "" || format == Alertmanager || format == Grafana):
		return Incident{}, unknownFormat(fields)
	case format == "":
		format = looks
	case looks != "" && looks != format && format != Generic && format != Datadog:
		return Incident{}, fmt.Errorf("alert body is of the format %s, but %s was configured: correct the source's format or the sender's URL", looks, format)
	}
	var in Incident
	switch format {
	case Alertmanager:
		in, err = parseAlertmanager(body)
	case Grafana:
		in, err = parseGrafana(body)
	case PagerDuty:
		in, err = parsePagerDuty(body)
	case Datadog:
		in, err = parseDatadog(fields)
	case Generic:
		in, err = parseGeneric(body, m)
	}
	if err != nil {
		return Incident{}, err
	}
	digest := sha256.Sum256(body)
	in.Digest = hex.EncodeToString(digest[:])
	return in, nil
}

// topLevel checks a body and returns the members of its JSON object.
func topLevel(body []byte) (map[string]json.RawMessage, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("alert body is larger than %d MiB: send fewer alerts a notification (max_alerts in Alertmanager's webhook_config)", MaxBody>>20)
	}
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, errors.New("alert body is empty: pass the JSON that Alertmanager or another sender posts to a webhook")
	}
	if !utf8.Valid(body) {
		return nil, errors.New("alert body is not UTF-8: pass the JSON body as it was sent, uncompressed")
	}
	var fields map[string]json.RawMessage
	dec := json.NewDecoder(bytes.NewReader(body))
	if err := dec.Decode(&fields); err != nil {
		return nil, fmt.Errorf("alert body cannot be read: %w", describe(err))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("alert body goes on after its JSON object: pass one notification at a time")
	}
	return fields, nil
}

// detect tells the format of a body by its members, "" if it cannot.
func detect(fields map[string]json.RawMessage) string {
	has := func(names ...string) bool {
		for _, name := range names {
			if _, ok := fields[name]; !ok {
				return false
			}
		}
		return true
	}
	switch {
	case has("event") && eventType(fields["event"]) != "":
		return PagerDuty
	case has("alerts") && (has("orgId") || literal(fields["version"]) == grafanaVersion):
		return Grafana
	case has("alerts") || has("version", "groupKey"):
		return Alertmanager
	case looksLikeDatadog(fields):
		return Datadog
	}
	return ""
}

// literal is a JSON string's value, "" for anything else.
func literal(raw json.RawMessage) string {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return ""
	}
	return s
}

func unknownFormat(fields map[string]json.RawMessage) error {
	if _, ok := fields["messages"]; ok {
		return errors.New("unknown alert format: this looks like a PagerDuty webhook of version 1 or 2, which PagerDuty no longer sends; add a V3 webhook subscription")
	}
	_, rule := fields["ruleId"]
	if _, matches := fields["evalMatches"]; rule || matches {
		return errors.New("unknown alert format: this looks like Grafana's legacy alerting, gone since Grafana 11; use unified alerting")
	}
	if _, ok := fields["event_action"]; ok {
		return errors.New("unknown alert format: this is an event for PagerDuty's Events API, not a webhook of PagerDuty; add a V3 webhook subscription")
	}
	return errors.New(`unknown alert format: expected a webhook of Alertmanager ("version": "4" and "alerts"), Grafana, PagerDuty V3 or Datadog; for another sender configure a source of format generic with a mapping`)
}

func describe(err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		if syntax.Error() == "unexpected end of JSON input" {
			return errors.New("the JSON ends early: was the body cut off?")
		}
		return fmt.Errorf("invalid JSON at byte %d: %w", syntax.Offset, err)
	case errors.As(err, &kind):
		if kind.Field == "" {
			return fmt.Errorf("a JSON object belongs there, and it is: %s", kind.Value)
		}
		return fmt.Errorf("%q holds a %s where a %s belongs", clip(kind.Field, 100), kind.Value, kind.Type)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends early: was the body cut off?")
	}
	return errors.New(clip(err.Error(), 200)) // a time that is none is quoted in full
}
