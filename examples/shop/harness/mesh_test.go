package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// through returns a client that reaches services through the mesh.
func through(t *testing.T, m *mesh) *http.Client {
	t.Helper()
	proxy := httptest.NewServer(m)
	t.Cleanup(proxy.Close)
	at, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: &http.Transport{Proxy: http.ProxyURL(at), DisableKeepAlives: true}, Timeout: 5 * time.Second}
}

func named(t *testing.T, name string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, name+" as "+r.Host+" "+r.URL.Path)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}

func body(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestMeshReachesServicesByName(t *testing.T) {
	m := newMesh()
	client := through(t, m)
	m.route("orders:8081", named(t, "first"))
	for _, want := range []string{"first", "second"} {
		if want == "second" { // a deployment
			m.route("orders:8081", named(t, "second"))
		}
		resp, err := client.Get("http://orders:8081/orders/1")
		if err != nil {
			t.Fatal(err)
		}
		if got := body(t, resp); got != want+" as orders:8081 /orders/1" {
			t.Errorf("answer = %q, want that of the %s instance", got, want)
		}
	}
	if got := m.address("orders"); got == "" || m.address("order") != "" {
		t.Errorf("address of orders = %q, of something else %q", got, m.address("order"))
	}
}

func TestMeshWithoutARoute(t *testing.T) {
	resp, err := through(t, newMesh()).Get("http://nobody:1/")
	if err != nil {
		t.Fatal(err)
	}
	if got := body(t, resp); resp.StatusCode != http.StatusBadGateway || !strings.Contains(got, "nobody:1") {
		t.Errorf("answer = %d %q", resp.StatusCode, got)
	}
}

func TestMeshClosesWhatCannotBeReached(t *testing.T) {
	m := newMesh()
	client := through(t, m)
	gone, err := freeAddress()
	if err != nil {
		t.Fatal(err)
	}
	m.route("bank:8090", gone)
	if resp, err := client.Get("http://bank:8090/"); err == nil {
		t.Errorf("answer = %d, want a broken connection", resp.StatusCode)
	}
	m.route("bank:8090", named(t, "bank"))
	m.setFault(func(string, *http.Request) bool { return false })
	if resp, err := client.Get("http://bank:8090/"); err == nil {
		t.Errorf("answer = %d in spite of the fault", resp.StatusCode)
	}
	m.setFault(nil)
	if _, err := client.Get("http://bank:8090/"); err != nil {
		t.Errorf("healed, and still %v", err)
	}
}

func TestHangsHoldsAShareOfOneHost(t *testing.T) {
	f := hangs("pricing:8084", 0.5, time.Hour, 2*time.Hour)
	held := 0
	for i := range 200 {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Header.Set("Traceparent", strings.Repeat("x", i))
		done := make(chan struct{})
		ctx, cancel := newContext(t)
		go func() { f("pricing:8084", r.WithContext(ctx)); close(done) }()
		if dice(r.Header.Get("Traceparent")) < 0.5 {
			held++
			cancel() // the caller leaves; the fault must not keep the request
		}
		<-done
		cancel()
		if !f("orders:8081", r) {
			t.Fatal("another host is affected")
		}
	}
	if held < 60 || held > 140 {
		t.Errorf("%d of 200 requests were held, want about half", held)
	}
}
