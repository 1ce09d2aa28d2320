package replay

import (
	"encoding/json"
	"testing"
)

func correlationSet(second Request) *Set {
	return &Set{Cases: []Case{
		{ID: "create", Request: Request{Method: "POST", Path: "/things"}, Response: Response{Status: 201, Body: json.RawMessage(`{"id":"thing-1a2b3c4d","state":"opened"}`)},
			Noise: []Noise{{Target: "response.body", Pointer: "/id", Rule: "regex", Pattern: "thing-[0-9a-f]{8}"}}},
		{ID: "next", Request: second, Response: Response{Status: 200}},
	}}
}

func TestCorrelateConnectsGeneratedValues(t *testing.T) {
	for name, tc := range map[string]struct {
		request Request
		at      string // "" when nothing is to be connected
	}{
		"path":         {Request{Path: "/things/thing-1a2b3c4d/parts"}, "/path/1"},
		"query":        {Request{Path: "/search", Query: "q=x&id=thing-1a2b3c4d"}, "/query/id"},
		"body":         {Request{Path: "/orders", Body: json.RawMessage(`{"items":[{"thing":"thing-1a2b3c4d"}]}`)}, "/body/items/0/thing"},
		"constant":     {Request{Path: "/states/opened"}, ""},
		"part of text": {Request{Path: "/things/prefix-thing-1a2b3c4d"}, ""},
		"none":         {Request{Path: "/things/other"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			set := correlationSet(tc.request)
			got := correlate(set)
			inject := got.Cases[1].Vars.Inject
			if tc.at == "" {
				if got != set || len(inject) != 0 {
					t.Fatalf("connected %v", inject)
				}
				return
			}
			name, ok := inject[tc.at]
			if !ok || got.Cases[0].Vars.Extract[name] != "/id" || len(got.Cases[1].DependsOn) != 1 || got.Cases[1].DependsOn[0] != "create" {
				t.Fatalf("extract %v, inject %v, depends on %v; want %s connected with /id", got.Cases[0].Vars.Extract, inject, got.Cases[1].DependsOn, tc.at)
			}
			if set.Cases[0].Vars.Extract != nil || set.Cases[1].DependsOn != nil {
				t.Error("the set that was given was changed")
			}
			vars := map[string]string{}
			extract(vars, got.Cases[0].Vars.Extract, json.RawMessage(`{"id":"thing-99999999"}`))
			sent, err := sendable(got.Cases[1], vars)
			if err != nil || sent.Path+sent.Query+string(sent.Body) == tc.request.Path+tc.request.Query+string(tc.request.Body) {
				t.Errorf("sent %+v (%v), want the new id in it", sent, err)
			}
		})
	}
}

func sendable(c Case, vars map[string]string) (Request, error) {
	return inject(c.Request, c.Vars.Inject, vars)
}

func TestCorrelateLeavesWhatSomebodyWrote(t *testing.T) {
	set := correlationSet(Request{Path: "/things/thing-1a2b3c4d"})
	set.Cases[1].Vars.Inject = map[string]string{"/path/1": "mine"}
	if got := correlate(set); got != set {
		t.Errorf("changed a case that says itself where its values come from: %+v", got.Cases[1].Vars)
	}
}

// TestCorrelateNeverLooksAhead: an answer cannot feed a request that was sent before it.
func TestCorrelateNeverLooksAhead(t *testing.T) {
	set := correlationSet(Request{Path: "/things/thing-1a2b3c4d"})
	set.Cases[0], set.Cases[1] = set.Cases[1], set.Cases[0]
	if got := correlate(set); got != set {
		t.Errorf("connected backwards: %+v", got.Cases)
	}
}
