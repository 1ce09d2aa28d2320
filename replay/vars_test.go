package replay

import (
	"encoding/json"
	"maps"
	"strings"
	"testing"
)

func TestVarsTravelFromResponsesIntoRequests(t *testing.T) {
	vars := map[string]string{}
	extract(vars, map[string]string{"id": "/order/id", "n": "/n", "ok": "/ok", "none": "/gone", "object": "/order"}, json.RawMessage(`{"order":{"id":"a/b c"},"n":12345678901234567890,"ok":true}`))
	if want := map[string]string{"id": "a/b c", "n": "12345678901234567890", "ok": "true"}; !maps.Equal(vars, want) {
		t.Fatalf("%v", vars)
	}
	r := Request{Method: "PUT", Path: "/orders/0/items/1", Query: "page=2&order=0", Headers: map[string]string{"if-match": "x"}, Body: json.RawMessage(`{"order":"0","count":5,"list":[1]}`)}
	got, err := inject(r, map[string]string{"/path/1": "id", "/query/order": "id", "/headers/if-match": "id", "/body/order": "id", "/body/count": "n", "/body/list/0": "ok"}, vars)
	if err != nil {
		t.Fatal(err)
	}
	if got.Path != "/orders/a%2Fb%20c/items/1" || got.Query != "page=2&order=a%2Fb+c" || got.Headers["if-match"] != "a/b c" || string(got.Body) != `{"count":12345678901234567890,"list":["true"],"order":"a/b c"}` {
		t.Errorf("%+v %s", got, got.Body)
	}
	if r.Headers["if-match"] != "x" || string(r.Body) != `{"order":"0","count":5,"list":[1]}` {
		t.Error("the recorded request was changed")
	}
}

func TestInjectSaysWhatIsWrong(t *testing.T) {
	r := Request{Method: "GET", Path: "/a", Body: json.RawMessage(`{"a":1}`)}
	for at, want := range map[string]string{"/path/1": "no segment 1", "/query/x": "no field", "/body/b": "no such place", "/cookie/x": "starts with none of", "/headers/x": "line break"} {
		_, err := inject(r, map[string]string{at: "v"}, map[string]string{"v": "a\nb"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", at, err)
		}
	}
	if _, err := inject(r, map[string]string{"/path/0": "v"}, nil); err == nil || !strings.Contains(err.Error(), "no earlier case supplied") {
		t.Errorf("%v", err)
	}
}
