package replay

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// observedAs is what a build that does exactly what was recorded shows.
func observedAs(c *Case) *Observed {
	return &Observed{Case: c.ID, Response: c.Response, Trace: c.Trace, Traced: len(c.Trace.Tree) > 0, Downstream: c.Downstream, Latency: time.Millisecond}
}

func lines(ds []Difference) []string {
	var out []string
	for _, d := range ds {
		out = append(out, strings.TrimSpace(d.Target+" "+d.Kind+" "+d.Pointer))
	}
	return out
}

func TestCompareBodies(t *testing.T) {
	tests := []struct {
		name, recorded, replayed string
		noise                    []Noise
		want                     []string
	}{
		{"same", `{"a":[1,"x",null]}`, `{"a":[1.0,"x",null]}`, nil, nil},
		{"leaf", `{"a":{"b":1}}`, `{"a":{"b":2}}`, nil, []string{"body changed /a/b"}},
		{"type", `{"a":1}`, `{"a":"1"}`, nil, []string{"body changed /a"}},
		{"missing and unexpected", `{"a":1,"b":2}`, `{"b":2,"c/d":3}`, nil, []string{"body missing /a", "body unexpected /c~1d"}},
		{"long numbers", `{"n":12345678901234567890}`, `{"n":12345678901234567891}`, nil, []string{"body changed /n"}},
		{"array grew", `[1,2]`, `[1,2,3]`, nil, []string{"body unexpected /2"}},
		{"array shrank", `[1,2]`, `[1]`, nil, []string{"body missing /1"}},
		{"order matters", `[1,2]`, `[2,1]`, nil, []string{"body changed /0", "body changed /1"}},
		{"unordered", `{"l":[{"k":1},{"k":2}]}`, `{"l":[{"k":2},{"k":1}]}`, []Noise{{Target: "response.body", Pointer: "/l", Rule: "unordered"}}, nil},
		{"unordered but other", `[1,2]`, `[2,3]`, []Noise{{Target: "response.body", Pointer: "", Rule: "unordered"}}, []string{"body missing /0", "body unexpected /1"}},
		{"ignored", `{"a":{"deep":1}}`, `{"a":"gone"}`, []Noise{{Target: "response.body", Pointer: "/a", Rule: "ignore"}}, nil},
		{"ignored and absent", `{"a":1}`, `{}`, []Noise{{Target: "response.body", Pointer: "/a", Rule: "ignore"}}, nil},
		{"presence", `{"a":"x"}`, `{"a":"y"}`, []Noise{{Target: "response.body", Pointer: "/a", Rule: "presence"}}, nil},
		{"presence needs it", `{"a":"x"}`, `{}`, []Noise{{Target: "response.body", Pointer: "/a", Rule: "presence"}}, []string{"body missing /a"}},
		{"uuid", `["70bf105c-def7-9e91-1ab6-f7d3f91920dc"]`, `["09b9e071-5d80-c173-b55a-a456005143d2"]`, []Noise{{Target: "response.body", Pointer: "/*", Rule: "uuid"}}, nil},
		{"no uuid", `["70bf105c-def7-9e91-1ab6-f7d3f91920dc"]`, `[""]`, []Noise{{Target: "response.body", Pointer: "/*", Rule: "uuid"}}, []string{"body changed /0"}},
		{"timestamp", `{"at":"2026-01-02T03:04:05Z"}`, `{"at":"2027-01-02T03:04:05.5+02:00"}`, []Noise{{Target: "response.body", Pointer: "/at", Rule: "timestamp"}}, nil},
		{"unix time", `{"at":1767323045}`, `{"at":1767323046123}`, []Noise{{Target: "response.body", Pointer: "/at", Rule: "timestamp"}}, nil},
		{"no timestamp", `{"at":1767323045}`, `{"at":5}`, []Noise{{Target: "response.body", Pointer: "/at", Rule: "timestamp"}}, []string{"body changed /at"}},
		{"numeric", `{"n":1}`, `{"n":-2.5e3}`, []Noise{{Target: "response.body", Pointer: "/n", Rule: "numeric"}}, nil},
		{"numeric stays a number", `{"n":1}`, `{"n":null}`, []Noise{{Target: "response.body", Pointer: "/n", Rule: "numeric"}}, []string{"body changed /n"}},
		{"regex", `{"n":"ord-12"}`, `{"n":"ord-77"}`, []Noise{{Target: "response.body", Pointer: "/n", Rule: "regex", Pattern: "ord-[0-9]{2}"}}, nil},
		{"regex covers all of it", `{"n":"ord-12"}`, `{"n":"ord-77; drop"}`, []Noise{{Target: "response.body", Pointer: "/n", Rule: "regex", Pattern: "ord-[0-9]{2}"}}, []string{"body changed /n"}},
		{"alias", `{"id":"a1","link":"a1"}`, `{"id":"b2","link":"b2"}`, []Noise{{Target: "response.body", Pointer: "/id", Rule: "alias"}, {Target: "response.body", Pointer: "/link", Rule: "alias"}}, nil},
		{"alias broken", `{"id":"a1","link":"a1"}`, `{"id":"b2","link":"c3"}`, []Noise{{Target: "response.body", Pointer: "/id", Rule: "alias"}, {Target: "response.body", Pointer: "/link", Rule: "alias"}}, []string{"body changed /link"}},
		{"alias not one to one", `{"a":"a1","b":"a2"}`, `{"a":"x","b":"x"}`, []Noise{{Target: "response.body", Pointer: "/*", Rule: "alias"}}, []string{"body changed /b"}},
		{"text", `"hello"`, `"bye"`, nil, []string{"body changed"}},
		{"gone", `{"a":1}`, ``, nil, []string{"body missing"}},
		{"appeared", ``, `{"a":1}`, nil, []string{"body unexpected"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Case{ID: "c", Response: Response{Status: 200, Body: json.RawMessage(tt.recorded)}, Noise: tt.noise}
			o := observedAs(c)
			o.Response.Body = json.RawMessage(tt.replayed)
			if got := lines(Compare(c, o)); !slices.Equal(got, tt.want) {
				t.Errorf("found %q, want %q", got, tt.want)
			}
		})
	}
}

func TestCompareShapes(t *testing.T) {
	c := &Case{ID: "c", Response: Response{Status: 200, Shape: json.RawMessage(`{"id":"string","n":"number"}`)}}
	o := observedAs(c)
	o.Response = Response{Status: 200, Body: json.RawMessage(`{"id":"x","n":5}`)}
	if ds := Compare(c, o); len(ds) != 0 {
		t.Errorf("%v", ds)
	}
	o.Response.Body = json.RawMessage(`{"id":"x","n":"5"}`)
	if got := lines(Compare(c, o)); !slices.Equal(got, []string{"body changed /n"}) {
		t.Errorf("%v", got)
	}
}

func TestCompareHeaders(t *testing.T) {
	c := &Case{ID: "c", Response: Response{Status: 200, Headers: map[string]string{"content-type": "application/json; charset=utf-8", "set-cookie": "redacted-header-1", "x-version": "1", "etag": `"a"`}},
		Noise: []Noise{{Target: "response.header", Pointer: "/etag", Rule: "presence"}}}
	tests := []struct {
		name    string
		headers map[string]string
		want    []string
	}{
		{"same up to form", map[string]string{"Content-Type": "application/json;charset=UTF-8", "Set-Cookie": "sid=5", "X-Version": "1", "ETag": `"b"`, "Date": "now", "X-Other": "1"}, nil},
		{"changed and gone", map[string]string{"content-type": "text/html", "set-cookie": "x", "etag": "y"}, []string{"header changed /content-type", "header missing /x-version"}},
		{"appeared", map[string]string{"content-type": "application/json;charset=utf-8", "set-cookie": "x", "etag": "y", "x-version": "1", "location": "/elsewhere"}, []string{"header unexpected /location"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := observedAs(c)
			o.Response.Headers = tt.headers
			if got := lines(Compare(c, o)); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func span(parent, name string, n int, mods ...func(*TreeSpan)) TreeSpan {
	t := TreeSpan{Signature: "desk|internal|" + name + "|", Parent: parent, Kind: "internal", Status: "unset", Count: Count{n, n}}
	for _, m := range mods {
		m(&t)
	}
	return t
}

func TestCompareTrees(t *testing.T) {
	failed := func(s *TreeSpan) { s.Status, s.Errors = "error", []string{"IOError"} }
	code := func(v string) func(*TreeSpan) {
		return func(s *TreeSpan) { s.Attributes = map[string]string{"http.response.status_code": v} }
	}
	root := "desk|internal|root|"
	base := []TreeSpan{span("", "root", 1), span(root, "try", 1, failed), span(root, "try", 1), span(root, "query", 3, code("200")), span(root, "maybe", 1, func(s *TreeSpan) { s.Count.Min = 0 })}
	without := func(i int) []TreeSpan { return slices.Delete(slices.Clone(base), i, i+1) }
	with := func(i int, s TreeSpan) []TreeSpan { out := slices.Clone(base); out[i] = s; return out }
	at := func(name string) string { return root + pathSeparator + "desk|internal|" + name + "|" }
	tests := []struct {
		name  string
		tree  []TreeSpan
		noise []Noise
		want  []string
	}{
		{"another order of siblings", []TreeSpan{base[3], base[2], base[1], base[0]}, nil, nil},
		{"an optional span is absent", without(4), nil, nil},
		{"missing", without(3), nil, []string{"span missing " + at("query")}},
		{"one variant missing", without(1), nil, []string{"span missing " + at("try")}},
		{"unexpected", append(slices.Clone(base), span(root, "new", 2)), nil, []string{"span unexpected " + at("new")}},
		{"more often", with(3, span(root, "query", 4, code("200"))), nil, []string{"span count " + at("query")}},
		{"other attribute", with(3, span(root, "query", 3, code("500"))), nil, []string{"span changed " + at("query")}},
		{"other status", with(2, span(root, "try", 1, func(s *TreeSpan) { s.Status = "ok" })), nil, []string{"span changed " + at("try")}},
		{"attribute is noise", with(3, span(root, "query", 3, code("500"))), []Noise{{Target: "span", Pointer: "/*/attributes/http.response.status_code", Rule: "numeric"}}, []string{}},
		{"count is noise", with(3, span(root, "query", 9, code("200"))), []Noise{{Target: "span", Pointer: "/" + escapeToken(at("query")) + "/count", Rule: "ignore"}}, nil},
		{"span is noise", without(3), []Noise{{Target: "span", Pointer: "/" + escapeToken(at("query")), Rule: "ignore"}}, nil},
		{"moved below another", with(3, span(at("try"), "query", 3, code("200"))), nil, []string{"span missing " + at("query"), "span unexpected " + at("try") + pathSeparator + "desk|internal|query|"}},
		{"links", with(0, span("", "root", 1, func(s *TreeSpan) { s.Links = 2 })), nil, []string{"span changed " + root}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := &Case{ID: "c", Response: Response{Status: 200}, Trace: Trace{Tree: base}, Noise: tt.noise}
			o := observedAs(c)
			o.Trace = Trace{Tree: tt.tree}
			if got := lines(Compare(c, o)); !slices.Equal(got, tt.want) && len(got)+len(tt.want) > 0 {
				t.Errorf("%q\nwant %q", got, tt.want)
			}
		})
	}
}

func TestCompareExplainsConsequences(t *testing.T) {
	root := "desk|internal|root|"
	c := &Case{ID: "c", Response: Response{Status: 201}, Trace: Trace{Tree: []TreeSpan{span("", "root", 1), span(root, "a", 1), span(root+pathSeparator+"desk|internal|a|", "b", 1)}},
		Downstream: []Downstream{{Peer: "ledger", Request: Request{Method: "POST", Path: "/bookings"}, Response: Response{Status: 200}}}}
	o := observedAs(c)
	o.Response.Status, o.Downstream = 503, nil
	o.Trace = Trace{Tree: c.Trace.Tree[:1]}
	ds := Compare(c, o)
	if len(ds) != 4 {
		t.Fatalf("%v", ds)
	}
	if ds[0].Target != "status" || ds[0].Likely != "follows from the outgoing call /ledger/POST ~1bookings (missing)" {
		t.Errorf("status: %v", ds[0])
	}
	if ds[2].Likely != "" || ds[3].Likely != "its parent is missing too" {
		t.Errorf("spans: %v, %v", ds[2], ds[3])
	}
}

func TestCompareCalls(t *testing.T) {
	call := func(path, body string, offset int) Downstream {
		return Downstream{Peer: "ledger", Offset: Duration(offset), Request: Request{Method: "POST", Path: path, Body: json.RawMessage(body)}, Response: Response{Status: 200}}
	}
	c := &Case{ID: "c", Response: Response{Status: 200}, Downstream: []Downstream{call("/a", `{"n":1,"ref":"x"}`, 1), call("/a", `{"n":2,"ref":"x"}`, 2), call("/b", `{}`, 3)},
		Noise: []Noise{{Target: "request.downstream", Pointer: "/ledger/POST ~1a/body/ref", Rule: "presence"}}}
	tests := []struct {
		name  string
		calls []Downstream
		want  []string
	}{
		{"other order, other refs", []Downstream{call("/b", `{}`, 1), call("/a", `{"n":2,"ref":"z"}`, 2), call("/a", `{"n":1,"ref":"y"}`, 3)}, nil},
		{"one missing", []Downstream{call("/a", `{"n":1,"ref":"y"}`, 1), call("/a", `{"n":2,"ref":"z"}`, 2)}, []string{"downstream missing /ledger/POST ~1b"}},
		{"one more", append(slices.Clone(c.Downstream), call("/b", `{}`, 9)), []string{"downstream count /ledger/POST ~1b"}},
		{"content", []Downstream{c.Downstream[0], call("/a", `{"n":7,"ref":"x"}`, 2), c.Downstream[2]}, []string{"downstream changed /ledger/POST ~1a/body/n"}},
		{"another place", []Downstream{c.Downstream[0], c.Downstream[1], c.Downstream[2], call("/new", `{}`, 4)}, []string{"downstream unexpected /ledger/POST ~1new"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := observedAs(c)
			o.Downstream = tt.calls
			if got := lines(Compare(c, o)); !slices.Equal(got, tt.want) {
				t.Errorf("%q, want %q", got, tt.want)
			}
		})
	}
}

func TestLatencyIsReportedAndFailsNothing(t *testing.T) {
	c := &Case{ID: "c", Response: Response{Status: 200}, Latency: []Duration{Duration(10 * time.Millisecond), Duration(12 * time.Millisecond), Duration(11 * time.Millisecond)}}
	o := observedAs(c)
	o.Latency = 140 * time.Millisecond
	if ds := Compare(c, o); len(ds) != 0 {
		t.Errorf("within the bound: %v", ds)
	}
	o.Latency = 2 * time.Second
	ds := Compare(c, o)
	if len(ds) != 1 || ds[0].Target != "latency" || ds[0].fails() {
		t.Errorf("beyond the bound: %v", ds)
	}
}

func TestCompareConnection(t *testing.T) {
	c := &Case{ID: "c", Response: Response{Status: 200, Body: json.RawMessage(`1`)}}
	o := observedAs(c)
	o.Error = "reset"
	if got := Compare(c, o); len(got) != 1 || got[0].Target != "connection" || !got[0].fails() || got[0].String() != "case c: connection changed: recorded answered 200, replayed reset" {
		t.Errorf("%v", got)
	}
}

func BenchmarkCompareTrees(b *testing.B) {
	const spans = 1000
	c := &Case{ID: "c", Response: Response{Status: 200}}
	parent := ""
	for i := range spans {
		s := span(parent, fmt.Sprintf("step %c%c", 'a'+i%26, 'a'+i/26%26), 1, func(s *TreeSpan) { s.Attributes = map[string]string{"http.request.method": "GET"} })
		if i%10 == 0 {
			parent = s.path()
		}
		if i%50 == 0 {
			parent = ""
		}
		c.Trace.Tree = append(c.Trace.Tree, s)
	}
	o := observedAs(c)
	b.ReportAllocs()
	for b.Loop() {
		if ds := Compare(c, o); len(ds) != 0 {
			b.Fatal(ds[0])
		}
	}
	b.ReportMetric(float64(b.N*spans)/b.Elapsed().Seconds(), "spans/s")
}
