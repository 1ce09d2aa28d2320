package llm

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestARedirectDoesNotLeadToAnotherHost(t *testing.T) {
	hit := false
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit = true }))
	defer other.Close()
	s := httptest.NewServer(http.RedirectHandler(other.URL+"/v1/models", http.StatusTemporaryRedirect))
	defer s.Close()
	_, err := connect(t, Options{URL: s.URL, Model: "m"}).Describe(t.Context())
	if hit || err == nil || !strings.Contains(err.Error(), "redirects to") {
		t.Errorf("followed: %t, %v", hit, err)
	}
}

func TestOnlyTheKeyFileIsSentAsACredential(t *testing.T) {
	t.Setenv("OPENAI_API_KEY", "sk-from-the-environment")
	t.Setenv("NETRC", filepath.Join(t.TempDir(), "netrc"))
	s := serve(t, "vllm")
	if _, err := connect(t, Options{URL: s.URL}).Ask(t.Context(), yes); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.requests {
		if r.header.Get("Authorization") != "" || r.header.Get("Cookie") != "" || r.header.Get("Api-Key") != "" {
			t.Errorf("%s carries a credential: %v", r.path, r.header)
		}
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("local-key\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s = serve(t, "vllm")
	if _, err := connect(t, Options{URL: s.URL, KeyFile: key}).Ask(t.Context(), yes); err != nil {
		t.Fatal(err)
	}
	for _, r := range s.requests {
		if r.header.Get("Authorization") != "Bearer local-key" {
			t.Errorf("%s has no key: %v", r.path, r.header)
		}
	}
	if _, err := New(Options{URL: "http://models.internal:8000", KeyFile: key}); err == nil {
		t.Error("the key may be sent to another host in the clear")
	}
}

func TestAServerDoesNotGetItsKeyIntoAReport(t *testing.T) {
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte("local-key"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "you sent "+r.Header.Get("Authorization")+"\x1b[2J", http.StatusUnauthorized)
	}))
	defer s.Close()
	_, err := connect(t, Options{URL: s.URL, KeyFile: key}).Describe(t.Context())
	if err == nil || strings.Contains(err.Error(), "local-key") || strings.Contains(err.Error(), "\x1b") {
		t.Errorf("%q", err)
	}
}

func TestProxiesDoNotStandBeforeLoopback(t *testing.T) {
	t.Setenv("HTTP_PROXY", "http://192.0.2.1:3128")
	t.Setenv("http_proxy", "http://192.0.2.1:3128")
	c := connect(t, Options{URL: "http://localhost:1234"})
	if c.http.Transport.(*http.Transport).Proxy != nil {
		t.Error("a proxy is used for loopback")
	}
}

func TestAddressesThatAreNone(t *testing.T) {
	for _, u := range []string{"", "localhost:11434", "ftp://localhost", "http://", "http://user:pass@localhost", "http://localhost?key=1", "file:///etc/passwd", "http://localhost/#x", "http://a b/"} {
		if _, err := New(Options{URL: u}); err == nil {
			t.Errorf("%q is taken", u)
		} else if strings.Contains(err.Error(), "pass@") {
			t.Errorf("the error shows a password: %v", err)
		}
	}
}

func TestKeyFilesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"empty": "\n", "two": "a\nb", "long": strings.Repeat("x", maxKey+1), "header": "a\r\nX-Evil: 1"} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := New(Options{URL: "http://localhost", KeyFile: path}); err == nil {
			t.Errorf("%s is taken", name)
		}
	}
	if _, err := New(Options{URL: "http://localhost", KeyFile: filepath.Join(dir, "absent")}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an absent file: %v", err)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	for _, kind := range []string{"text/event-stream", "application/json", "application/x-ndjson"} {
		gone := make(chan struct{})
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/v1/chat/completions" {
				_, _ = w.Write([]byte(`{"data":[{"id":"m","max_model_len":4096}]}`))
				return
			}
			w.Header().Set("Content-Type", kind)
			piece := []byte("data: {\"choices\":[{\"delta\":{\"content\":\"" + strings.Repeat("x", 1000) + "\"}}]}\n\n")
			if kind != "text/event-stream" {
				piece = []byte(strings.Repeat(" ", 4000) + "\n")
			}
			for n := 0; n < 100_000; n++ {
				if _, err := w.Write(piece); err != nil {
					break
				}
			}
			close(gone)
		}))
		c := connect(t, Options{URL: s.URL})
		c.known, c.dialect = &d4096, jsonSchema
		_, err := c.Ask(t.Context(), yes)
		if err == nil {
			t.Errorf("%s: an endless answer is taken", kind)
		}
		s.CloseClientConnections()
		<-gone
		s.Close()
	}
}
