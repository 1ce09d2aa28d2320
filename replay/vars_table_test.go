package replay

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestExtractTakesLeavesOnly(t *testing.T) {
	body := `{"id":"x","n":1.50,"big":12345678901234567890,"t":true,"f":false,"null":null,"o":{"a":1},"l":["p",{"q":"r"}],"a/b":"slash","":"empty"}`
	for at, want := range map[string]string{
		"/id": "x", "/n": "1.50", "/big": "12345678901234567890", "/t": "true", "/f": "false", "/l/0": "p", "/l/1/q": "r", "/a~1b": "slash", "/": "empty", "/o/a": "1",
		"": "", "/null": "", "/o": "", "/l": "", "/l/2": "", "/l/-": "", "/gone": "", "/id/deeper": "", "no pointer": "",
	} {
		vars := map[string]string{"v": "before"}
		extract(vars, map[string]string{"v": at}, json.RawMessage(body))
		if want == "" {
			want = "before" // what is not there leaves what was
		}
		if vars["v"] != want {
			t.Errorf("%q: %q, want %q", at, vars["v"], want)
		}
	}
}

func TestExtractFromOtherBodies(t *testing.T) {
	for body, want := range map[string]map[string]string{
		``: {}, `null`: {}, `"text"`: {"v": "text"}, `17`: {"v": "17"}, `{"a":`: {}, `{"a":1,"a":2}`: {}, `"data:text/plain,{"`: {"v": "data:text/plain,{"},
	} {
		vars := map[string]string{}
		extract(vars, map[string]string{"v": ""}, json.RawMessage(body))
		if !maps.Equal(vars, want) {
			t.Errorf("%s: %v", body, vars)
		}
	}
}

func TestInjectIntoEveryPart(t *testing.T) {
	base := Request{Method: "PUT", Path: "/a/0/b/1", Query: "x=1&y=2&x=3", Headers: map[string]string{"If-Match": "e", "x-id": "i"}, Body: json.RawMessage(`{"s":"a","n":1,"l":[1,"b"],"o":{"deep":null},"a/b":2}`)}
	tests := []struct {
		at, value string
		check     func(r Request) (got, want string)
	}{
		{"/path/0", "z", func(r Request) (string, string) { return r.Path, "/z/0/b/1" }},
		{"/path/3", "a/../b?#%", func(r Request) (string, string) { return r.Path, "/a/0/b/a%2F..%2Fb%3F%23%25" }},
		{"/path/1", "", func(r Request) (string, string) { return r.Path, "/a//b/1" }},
		{"/query/y", "a&b=c d", func(r Request) (string, string) { return r.Query, "x=1&y=a%26b%3Dc+d&x=3" }},
		{"/query/x", "9", func(r Request) (string, string) { return r.Query, "x=9&y=2&x=3" }}, // the first of several
		{"/headers/if-match", "v", func(r Request) (string, string) { return show(stringMap(r.Headers)), `{"if-match":"v","x-id":"i"}` }},
		{"/headers/new", "v", func(r Request) (string, string) { return r.Headers["new"], "v" }},
		{"/body/s", "v", func(r Request) (string, string) {
			return string(r.Body), `{"a/b":2,"l":[1,"b"],"n":1,"o":{"deep":null},"s":"v"}`
		}},
		{"/body/s", "17", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["s"]), `"17"` }},
		{"/body/n", "17", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `17` }},
		{"/body/n", "1e3", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `1e3` }},
		{"/body/n", "x", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `"x"` }},
		{"/body/n", "NaN", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `"NaN"` }},
		{"/body/n", "Inf", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `"Inf"` }},
		{"/body/n", "0x10", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `"0x10"` }},
		{"/body/n", "+1", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `"+1"` }},
		{"/body/n", ".5", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["n"]), `".5"` }},
		{"/body/l/1", "v", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["l"]), `[1,"v"]` }},
		{"/body/o/deep", "v", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["o"]), `{"deep":"v"}` }},
		{"/body/a~1b", "5", func(r Request) (string, string) { return show(bodyValue(r.Body).(map[string]any)["a/b"]), `5` }},
		{"/body", "whole", func(r Request) (string, string) { return string(r.Body), `"whole"` }},
	}
	before := show(requestValue(&base))
	for _, tt := range tests {
		t.Run(tt.at+" "+tt.value, func(t *testing.T) {
			r, err := inject(base, map[string]string{tt.at: "v"}, map[string]string{"v": tt.value})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := tt.check(r); got != want {
				t.Errorf("%s, want %s", got, want)
			}
			if show(requestValue(&base)) != before {
				t.Fatal("the recorded request was changed")
			}
		})
	}
}

func stringMap(m map[string]string) any {
	out := map[string]any{}
	for k, v := range m {
		out[k] = v
	}
	return out
}

func TestInjectRefusesPlacesThatAreNotThere(t *testing.T) {
	r := Request{Method: "GET", Path: "/a/b", Query: "x=1", Body: json.RawMessage(`{"l":[1]}`)}
	for at, want := range map[string]string{
		"": "the whole request", "/path": "starts with none of", "/path/2": "no segment 2", "/path/-1": "no segment -1", "/path/01": "no segment 01", "/path/x": "no segment x", "/path/0/1": "starts with none of",
		"/query": "starts with none of", "/query/y": `no field "y"`, "/headers": "starts with none of", "/method": "starts with none of", "/body/l/1": "no such place", "/body/l/-": "no such place", "/body/x": "no such place", "/body/l/0/x": "no such place", "path/0": "does not start with",
	} {
		if _, err := inject(r, map[string]string{at: "v"}, map[string]string{"v": "1"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", at, err, want)
		}
	}
	for _, body := range []string{"", `{"a":`, `{"a":1,"a":2}`} {
		r.Body = json.RawMessage(body)
		if _, err := inject(r, map[string]string{"/body/a": "v"}, map[string]string{"v": "1"}); err == nil || !strings.Contains(err.Error(), "no JSON body") {
			t.Errorf("body %q: %v", body, err)
		}
	}
}

// A hostile answer must not be able to add a header or a request to the next one.
func TestInjectedValuesStayInTheirPlace(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"a\r\nX: y", "../../admin", "?q=1", "a b", "#", "%2f", "\x00", "a&b=c"})).Draw(t, "value")
		r := Request{Method: "GET", Path: "/a/0/c", Query: "x=0&y=1"}
		got, err := inject(r, map[string]string{"/path/1": "v", "/query/x": "v"}, map[string]string{"v": value})
		if err != nil {
			t.Fatal(err)
		}
		m, err := newMessage(got)
		if err != nil {
			t.Fatalf("%q is refused: %v", value, err)
		}
		line, _, _ := strings.Cut(string(m.bytes), "\r\n")
		parts := strings.Split(line, " ")
		if len(parts) != 3 || strings.Count(string(m.bytes), "\r\n\r\n") != 1 {
			t.Fatalf("%q", m.bytes)
		}
		u, err := url.ParseRequestURI(parts[1])
		if err != nil {
			t.Fatalf("%q: %v", parts[1], err)
		}
		if segments := strings.Split(u.EscapedPath(), "/"); len(segments) != 4 || segments[3] != "c" {
			t.Fatalf("path %q", u.EscapedPath())
		}
		if q := u.Query(); len(q) != 2 || q.Get("x") != value || q.Get("y") != "1" {
			t.Fatalf("query %q of %q", u.RawQuery, value)
		}
	})
}

func TestHeadersOfInjectedNamesAreChecked(t *testing.T) {
	for _, name := range []string{"", "a b", "a:b", "a\tb", "a\nb"} {
		at := pointer{"headers", name}.String()
		r, err := inject(Request{Method: "GET", Path: "/"}, map[string]string{at: "v"}, map[string]string{"v": "1"})
		if err == nil {
			_, err = newMessage(r)
		}
		if err == nil {
			t.Errorf("header %q is sent", name)
		}
	}
}

func TestPointersInOrder(t *testing.T) {
	// Injections happen in the order of their pointers, so the last one wins the same way each time.
	r := Request{Method: "GET", Path: "/0", Headers: map[string]string{}}
	for range 20 {
		got, err := inject(r, map[string]string{"/headers/x": "a", "/headers/X": "b", "/headers/x~0": "c"}, map[string]string{"a": "1", "b": "2", "c": "3"})
		if err != nil || !slices.Equal(sortedKeys(got.Headers), []string{"x", "x~"}) || got.Headers["x"] != "1" {
			t.Fatalf("%v %v", got.Headers, err)
		}
	}
}
