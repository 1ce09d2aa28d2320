package replay

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestValidateNamesThePlace(t *testing.T) {
	tests := []struct {
		name string
		edit func(s *Set)
		want string // "" for valid
	}{
		{"as it is", func(*Set) {}, ""},
		{"schema", func(s *Set) { s.Schema = "x" }, `/schema: "x" is not`},
		{"id", func(s *Set) { s.ID = "" }, "/id: empty"},
		{"service", func(s *Set) { s.Service = "" }, "/service: empty"},
		{"no cases", func(s *Set) { s.Cases = nil }, "/cases: empty"},
		{"concurrency", func(s *Set) { s.Recorded.Concurrency = -1 }, "/recorded/concurrency: negative"},
		{"case without id", func(s *Set) { s.Cases[1].ID = "" }, "/cases/1/id: empty"},
		{"kind", func(s *Set) { s.Cases[0].Kind = "HTTP" }, `/cases/0/kind: "HTTP" is not one of http, grpc, message`},
		{"effects", func(s *Set) { s.Cases[0].Effects = "write" }, "/cases/0/effects"},
		{"dependency", func(s *Set) { s.Cases[1].DependsOn = []string{"one", "gone"} }, `/cases/1/depends_on/1: there is no case "gone"`},

		{"small method", func(s *Set) { s.Cases[0].Request.Method = "get" }, "/cases/0/request/method"},
		{"empty method", func(s *Set) { s.Cases[0].Request.Method = "" }, "/cases/0/request/method"},
		{"long method", func(s *Set) { s.Cases[0].Request.Method = strings.Repeat("A", 21) }, "/cases/0/request/method"},
		{"extension method", func(s *Set) { s.Cases[0].Request.Method = "M-SEARCH" }, ""},
		{"empty path", func(s *Set) { s.Cases[0].Request.Path = "" }, "/cases/0/request/path"},
		{"relative path", func(s *Set) { s.Cases[0].Request.Path = "x" }, "/cases/0/request/path"},
		{"path with a query", func(s *Set) { s.Cases[0].Request.Path = "/x?y" }, "/cases/0/request/path"},
		{"path with a blank", func(s *Set) { s.Cases[0].Request.Path = "/x y" }, "/cases/0/request/path"},
		{"path with a line break", func(s *Set) { s.Cases[0].Request.Path = "/x\r\nHost: y" }, "/cases/0/request/path"},
		{"query with a fragment", func(s *Set) { s.Cases[0].Request.Query = "a#b" }, "/cases/0/request/query"},
		{"query with a blank", func(s *Set) { s.Cases[0].Request.Query = "a b" }, "/cases/0/request/query"},
		{"header without a name", func(s *Set) { s.Cases[0].Request.Headers = map[string]string{"": "x"} }, "/cases/0/request/headers/"},
		{"header with a colon", func(s *Set) { s.Cases[0].Request.Headers = map[string]string{"a:b": "x"} }, "/cases/0/request/headers/a:b"},
		{"header with a zero byte", func(s *Set) { s.Cases[0].Request.Headers = map[string]string{"a": "\x00"} }, "/cases/0/request/headers/a"},

		{"no status", func(s *Set) { s.Cases[0].Response.Status = 0 }, "/cases/0/response/status: 0"},
		{"status 600", func(s *Set) { s.Cases[0].Response.Status = 600 }, "/cases/0/response/status: 600"},
		{"an interim status", func(s *Set) { s.Cases[0].Response.Status = 103 }, "/cases/0/response/status: 103"},
		{"switching protocols", func(s *Set) { s.Cases[0].Response.Status = 101 }, ""},
		{"a message has no status", func(s *Set) { s.Cases[0].Kind, s.Cases[0].Response.Status = "message", 0 }, ""},

		{"extract", func(s *Set) { s.Cases[0].Vars.Extract = map[string]string{"v/w": "id"} }, "/cases/0/vars/extract/v~1w: pointer"},
		{"extract all", func(s *Set) { s.Cases[0].Vars.Extract = map[string]string{"v": ""} }, ""},
		{"inject nowhere", func(s *Set) { s.Cases[1].Vars.Inject = map[string]string{"": "id"} }, "/cases/1/vars/inject"},
		{"inject by name", func(s *Set) { s.Cases[1].Vars.Inject = map[string]string{"path": "id"} }, "/cases/1/vars/inject"},
		{"latency", func(s *Set) { s.Cases[0].Latency = []Duration{1, -1} }, "/cases/0/latency/1: negative"},

		{"span without a signature", func(s *Set) { s.Cases[0].Trace.Tree[0].Signature = "" }, "/cases/0/trace/tree/0/signature"},
		{"count from below zero", func(s *Set) { s.Cases[0].Trace.Tree[0].Count = Count{-1, 1} }, "/cases/0/trace/tree/0/count"},
		{"count of nothing", func(s *Set) { s.Cases[0].Trace.Tree[0].Count = Count{0, 0} }, "/cases/0/trace/tree/0/count"},
		{"optional span", func(s *Set) { s.Cases[0].Trace.Tree[0].Count = Count{0, 3} }, ""},

		{"call to nobody", func(s *Set) { s.Cases[0].Downstream[0].Peer = "" }, "/cases/0/downstream/0/peer"},
		{"call with a bad request", func(s *Set) { s.Cases[0].Downstream[0].Request.Path = "" }, "/cases/0/downstream/0/request/path"},
		{"call without a status", func(s *Set) { s.Cases[0].Downstream[0].Response.Status = 0 }, "/cases/0/downstream/0/response/status"},
		{"failed call without a status", func(s *Set) { s.Cases[0].Downstream[0].Response.Status, s.Cases[0].Downstream[0].Error = 0, "reset" }, ""},
		{"call that failed otherwise", func(s *Set) { s.Cases[0].Downstream[0].Error = "boom" }, `/cases/0/downstream/0/error: "boom" is not one of refused, reset, timeout`},
		{"call before its exchange", func(s *Set) { s.Cases[0].Downstream[0].Offset = -1 }, "/cases/0/downstream/0/latency"},
		{"call of negative length", func(s *Set) { s.Cases[0].Downstream[0].Latency = -1 }, "/cases/0/downstream/0/latency"},

		{"noise on nothing", func(s *Set) { s.Cases[0].Noise[0].Target = "body" }, "/cases/0/noise/0/target"},
		{"noise of another rule", func(s *Set) { s.Cases[0].Noise[0].Rule = "" }, "/cases/0/noise/0/rule"},
		{"noise without a pattern", func(s *Set) { s.Cases[0].Noise[0].Pattern = "" }, "/cases/0/noise/0/pattern: empty"},
		{"noise with a pattern of another dialect", func(s *Set) { s.Cases[0].Noise[0].Pattern = "(?<=a)b" }, "/cases/0/noise/0/pattern"},
		{"noise with a tilde", func(s *Set) { s.Cases[0].Noise[0].Pointer = "/a~b" }, "/cases/0/noise/0/pointer"},
		{"expectation", func(s *Set) { s.Cases[0].Expect = []string{"span", "spam"} }, "/cases/0/expect/1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallSet()
			tt.edit(s)
			err := s.Validate()
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)):
				t.Errorf("%v, want %s", err, tt.want)
			}
		})
	}
}

// What a hostile set puts into a message is cut, so that no log is flooded.
func TestMessagesAboutSetsAreShort(t *testing.T) {
	long := strings.Repeat("é", 100_000)
	for name, edit := range map[string]func(s *Set){
		"schema": func(s *Set) { s.Schema = long }, "kind": func(s *Set) { s.Cases[0].Kind = long }, "dependency": func(s *Set) { s.Cases[0].DependsOn = []string{long} },
		"method": func(s *Set) { s.Cases[0].Request.Method = long }, "path": func(s *Set) { s.Cases[0].Request.Path = long }, "query": func(s *Set) { s.Cases[0].Request.Query = long + " " },
		"header": func(s *Set) { s.Cases[0].Request.Headers = map[string]string{long + " ": "x"} }, "inject": func(s *Set) { s.Cases[0].Vars.Inject = map[string]string{long: "x"} },
		"pointer": func(s *Set) { s.Cases[0].Noise[0].Pointer = long }, "expectation": func(s *Set) { s.Cases[0].Expect = []string{long} }, "error": func(s *Set) { s.Cases[0].Downstream[0].Error = long },
		"twice": func(s *Set) { s.Cases[0].ID, s.Cases[1].ID = long, long },
	} {
		s := smallSet()
		edit(s)
		if err := s.Validate(); err == nil || len(err.Error()) > 600 {
			t.Errorf("%s: a message of %d bytes", name, len(err.Error()))
		}
	}
}

func TestTypesAreCheckedWithThePlace(t *testing.T) {
	for doc, want := range map[string]string{
		`7`: "the document: number where an object belongs",
		`{"schema":"remediator.golden/v1","cases":{}}`:                                              "/cases: object where an array belongs",
		`{"schema":"remediator.golden/v1","cases":[7]}`:                                             "/cases/0: number where an object belongs",
		`{"schema":"remediator.golden/v1","cases":[null]}`:                                          "/cases/0: null where an object belongs",
		`{"schema":"remediator.golden/v1","cases":[{"request":{"headers":["x"]}}]}`:                 "/cases/0/request/headers: array where an object belongs",
		`{"schema":"remediator.golden/v1","cases":[{"request":{"headers":{"a/b":1}}}]}`:             "/cases/0/request/headers/a~1b: number where a string belongs",
		`{"schema":"remediator.golden/v1","cases":[{"occurrence":99999999999}]}`:                    "/cases/0/occurrence: 99999999999 is not a whole number",
		`{"schema":"remediator.golden/v1","cases":[{"occurrence":1e2}]}`:                            "/cases/0/occurrence: 1e2 is not a whole number",
		`{"schema":"remediator.golden/v1","cases":[{"latency":[5]}]}`:                               "/cases/0/latency/0: number where a string belongs",
		`{"schema":"remediator.golden/v1","cases":[{"ID":"x"}]}`:                                    "/cases/0/ID: unknown key",
		`{"schema":"remediator.golden/v1","recorded":{"at":"2026-13-01T00:00:00Z"}}`:                "/recorded/at: ",
		`{"schema":"remediator.golden/v1","id":null}`:                                               "/id: null where a string belongs",
		`{"schema":"remediator.golden/v1","cases":[{"trace":{"tree":[{"count":{"min":true}}]}}]}`:   "/cases/0/trace/tree/0/count/min: boolean where a whole number belongs",
		`{"schema":"remediator.golden/v1","cases":[{"noise":[{"target":"span","colour":"blue"}]}]}`: "/cases/0/noise/0/colour: unknown key",
	} {
		_, err := ReadSet(strings.NewReader(doc))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", doc, err, want)
		}
	}
}

func TestNullBodiesSurvive(t *testing.T) {
	s := smallSet()
	s.Cases[0].Response.Body = json.RawMessage("null")
	s.Cases[0].Noise = nil
	back, err := ReadSet(strings.NewReader(string(written(t, s))))
	if err != nil || string(back.Cases[0].Response.Body) != "null" {
		t.Errorf("%v %s", err, back.Cases[0].Response.Body)
	}
}
