package incident

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// ends are the words with which senders say that an alert is over.
var ends = []string{"resolved", "resolve", "ok", "okay", "recovered", "recovery", "closed", "close", "normal", "up", "cleared", "clear", "inactive", "success", "healthy", "green", "false", "0"}

// parseGeneric reads a body by a mapping. The identity is what the mapping calls fingerprint; without it
// the name, the service, the operation and the labels.
func parseGeneric(body []byte, m Mapping) (Incident, error) {
	if wrong := m.Check(); len(wrong) > 0 {
		return Incident{}, fmt.Errorf("alert body of format generic needs a mapping: %s %s; %s", wrong[0].Field, wrong[0].What, wrong[0].Fix)
	}
	var root any
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&root); err != nil {
		return Incident{}, fmt.Errorf("alert body cannot be read: %w", describe(err))
	}
	get := func(field string) any {
		pointer, ok := m[field]
		if !ok {
			return nil
		}
		v, _ := lookup(root, pointer)
		return v
	}
	name := nameOf(text(get("name")))
	if name == "" {
		return Incident{}, fmt.Errorf("alert body holds no text at %q, where the mapping has name: correct the mapping", clip(m["name"], 60))
	}
	in := Incident{Source: Generic, Name: name, Status: Firing, Alerts: 1,
		Service: nameOf(text(get("service"))), Operation: nameOf(text(get("operation"))),
		Severity: severityOf(map[string]string{"severity": text(get("severity"))})}
	if slices.Contains(ends, strings.ToLower(strings.TrimSpace(text(get("status"))))) {
		in.Status = Resolved
	}
	var err error
	if in.StartsAt, err = moment(get("starts_at")); err != nil {
		return Incident{}, fmt.Errorf("alert body, starts_at at %q: %w", clip(m["starts_at"], 60), err)
	}
	if in.StartsAt.IsZero() {
		return Incident{}, fmt.Errorf("alert body holds no time at %q, where the mapping has starts_at: without it the window of the incident is unknown", clip(m["starts_at"], 60))
	}
	end, err := moment(get("ends_at"))
	if err != nil {
		return Incident{}, fmt.Errorf("alert body, ends_at at %q: %w", clip(m["ends_at"], 60), err)
	}
	if in.Status == Resolved {
		in.EndsAt = end
	}
	labels, err := genericLabels(get("labels"), m["labels"])
	if err != nil {
		return Incident{}, err
	}
	identity := with(labels, "service", in.Service)
	identity["operation"] = in.Operation
	if key := text(get("fingerprint")); key != "" {
		identity, name = map[string]string{"key": key}, ""
	}
	in.Fingerprint = fingerprint(Generic, name, identity)
	in.describeBy(labels, nil)
	return in, nil
}

// genericLabels are the scalars of an object; other members are left out.
func genericLabels(v any, pointer string) (map[string]string, error) {
	switch v := v.(type) {
	case nil:
		return map[string]string{}, nil
	case map[string]any:
		labels := make(map[string]string, len(v))
		for _, key := range slices.Sorted(maps.Keys(v)) {
			if value := text(v[key]); value != "" {
				labels[key] = value
			}
		}
		return labels, nil
	case []any, string: // tags as "key:value"
		labels := map[string]string{}
		for _, pair := range pairs(v) {
			labels[pair[0]] = pair[1]
		}
		return labels, nil
	}
	return nil, errors.New("alert body: labels at " + clip(pointer, 60) + " are neither an object nor tags")
}
