package githubtest

import (
	"encoding/json"
	"fmt"
	"sync"
)

// Examples are GitHub's own examples of webhook payloads.
type Examples struct {
	byEvent map[string][]json.RawMessage
}

// examples reads the examples once for all tests of a process; they never change.
var examples = sync.OnceValues(loadExamples)

// LoadExamples reads the examples from the cache; [ErrNotFetched] when they are not there.
func LoadExamples() (*Examples, error) { return examples() }

func loadExamples() (*Examples, error) {
	data, err := cached(webhookExamples.file)
	if err != nil {
		return nil, err
	}
	var all []struct {
		Name     string            `json:"name"`
		Examples []json.RawMessage `json:"examples"`
	}
	if err := json.Unmarshal(data, &all); err != nil {
		return nil, fmt.Errorf("GitHub's webhook examples: %w", err)
	}
	e := &Examples{byEvent: map[string][]json.RawMessage{}}
	for _, one := range all {
		e.byEvent[one.Name] = one.Examples
	}
	if len(e.byEvent) == 0 {
		return nil, fmt.Errorf("GitHub's webhook examples: the file is empty")
	}
	return e, nil
}

// find returns a copy of the example of an event and action, or of the event with another action, or an empty object.
func (e *Examples) find(event, action string) object {
	if e == nil {
		return object{}
	}
	var second object
	for _, raw := range e.byEvent[event] {
		var o object
		if json.Unmarshal(raw, &o) != nil {
			continue
		}
		if a, _ := o["action"].(string); a == action {
			return o
		}
		if second == nil {
			second = o
		}
	}
	if second == nil {
		return object{}
	}
	return second
}

// overlay lays objects over an example: what the state says wins, and what it does not say stays as GitHub's example
// has it. Lists are replaced whole.
func overlay(base, top object) object {
	for k, v := range top {
		if b, isObject := base[k].(object); isObject {
			if t, both := v.(object); both {
				base[k] = overlay(b, t)
				continue
			}
		}
		base[k] = v
	}
	return base
}
