package alerthook

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/remediator/remediator/internal/config"
)

// guarded are sources of every kind of credential.
const guarded = `  bearer: {format: alertmanager, bearer_file: token}
  signed: {format: alertmanager, secret_file: key, signature_header: X-Sig}
  stamped: {format: alertmanager, secret_file: key, signature_header: X-Sig, timestamp_header: X-Time, replay_window: 5m}
  both: {format: alertmanager, bearer_file: token, secret_file: key, signature_header: X-Sig}
  open: {format: alertmanager}
`

var guardedFiles = map[string]string{"token": "open sesame", "key": "k"}

func stampOf(at time.Time) string { return strconv.FormatInt(at.Unix(), 10) }

func TestCredentialsThatAreRight(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	stamp := stampOf(noon.Add(-4 * time.Minute))
	for source, headers := range map[string][]string{
		"bearer":  {"Authorization", "Bearer open sesame"},
		"signed":  {"X-Sig", sign("k", alertBody)},
		"stamped": {"X-Sig", sign("k", stamp+":"+alertBody), "X-Time", stamp},
		"both":    {"Authorization", "Bearer open sesame", "X-Sig", sign("k", alertBody)},
		"open":    nil,
	} {
		wantReply(t, b.send(source, alertBody, headers...), http.StatusAccepted)
	}
}

func TestCredentialsThatAreWrong(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	right, stamp := sign("k", alertBody), stampOf(noon)
	old, ahead := stampOf(noon.Add(-5*time.Minute-time.Second)), stampOf(noon.Add(5*time.Minute+time.Second))
	stamped := func(s string) []string { return []string{"X-Sig", sign("k", s+":"+alertBody), "X-Time", s} }
	for name, c := range map[string]struct {
		source  string
		headers []string
	}{
		"no token":                         {"bearer", nil},
		"an empty token":                   {"bearer", []string{"Authorization", "Bearer "}},
		"another token":                    {"bearer", []string{"Authorization", "Bearer open sesam"}},
		"the token's beginning":            {"bearer", []string{"Authorization", "Bearer open"}},
		"the token and more":               {"bearer", []string{"Authorization", "Bearer open sesame2"}},
		"another scheme":                   {"bearer", []string{"Authorization", "Basic open sesame"}},
		"no signature":                     {"signed", nil},
		"an empty signature":               {"signed", []string{"X-Sig", ""}},
		"half a signature":                 {"signed", []string{"X-Sig", right[:32]}},
		"a signature with more":            {"signed", []string{"X-Sig", right + "00"}},
		"no hex":                           {"signed", []string{"X-Sig", strings.Repeat("zz", 32)}},
		"a signature by another key":       {"signed", []string{"X-Sig", sign("K", alertBody)}},
		"a signature by no key":            {"signed", []string{"X-Sig", sign("", alertBody)}},
		"a signature of another body":      {"signed", []string{"X-Sig", sign("k", alertBody+" ")}},
		"a signature in another header":    {"signed", []string{"X-Remediator-Signature", right}},
		"a bearer token for a signature":   {"signed", []string{"Authorization", "Bearer k"}},
		"the right one behind too many":    {"signed", []string{"X-Sig", strings.Repeat(sign("x", alertBody)+",", maxSignatures) + right}},
		"a replayed time stamp":            {"stamped", stamped(old)},
		"a time stamp far ahead":           {"stamped", stamped(ahead)},
		"a fresh time stamp, not signed":   {"stamped", []string{"X-Sig", sign("k", old+":"+alertBody), "X-Time", stamp}},
		"no time stamp":                    {"stamped", []string{"X-Sig", right}},
		"a signature of the empty stamp":   {"stamped", []string{"X-Sig", sign("k", ":"+alertBody)}},
		"a time stamp in words":            {"stamped", stamped("now")},
		"a time stamp beyond all integers": {"stamped", stamped(strings.Repeat("9", 30))},
		"the smallest integer":             {"stamped", stamped("-9223372036854775808")},
		"only the token of two":            {"both", []string{"Authorization", "Bearer open sesame"}},
		"only the signature of two":        {"both", []string{"X-Sig", right}},
		"no source":                        {"nothing", []string{"Authorization", "Bearer open sesame", "X-Sig", right}},
		"no name":                          {"", []string{"Authorization", "Bearer open sesame"}},
		"a name below a source":            {"open/x", nil},
		"a name above":                     {"../open", nil},
	} {
		w := b.send(c.source, alertBody, c.headers...)
		if w.Code != http.StatusUnauthorized {
			t.Errorf("%s: status %d, want 401", name, w.Code)
		}
	}
	if all := b.store.all(); len(all) > 0 {
		t.Errorf("%d alerts were stored", len(all))
	}
}

// A source that is not there answers as one with other credentials does: same status, headers and body.
func TestASourceThatIsNotThereCannotBeToldFromOneWithOtherCredentials(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	for what, body := range map[string]string{"an alert": alertBody, "no JSON": "{", "nothing": "", "too much for one source": strings.Repeat("x", 1<<20)} {
		for _, headers := range [][]string{nil, {"Authorization", "Bearer guess"}, {"X-Sig", sign("guess", body)}, {"Content-Encoding", "br"}} {
			want := b.send("bearer", body, headers...)
			for _, source := range []string{"nothing", "signed", "both"} {
				got := b.send(source, body, headers...)
				if got.Code != want.Code || got.Body.String() != want.Body.String() || fmt.Sprint(got.Header()) != fmt.Sprint(want.Header()) {
					t.Errorf("%s with %s and %v: %d %s, a source that is there: %d %s", source, what, headers, got.Code, got.Body, want.Code, want.Body)
				}
			}
		}
	}
	// Nor does the rate limit, which only somebody with the credentials can reach.
	narrow := newBench(t, "  narrow: {format: alertmanager, bearer_file: token, per_minute: 1}\n", guardedFiles, nil)
	for range 5 {
		if w := narrow.send("narrow", alertBody, "Authorization", "Bearer guess"); w.Code != http.StatusUnauthorized {
			t.Fatalf("status %d shows that the source is there", w.Code)
		}
	}
	wantReply(t, narrow.send("narrow", alertBody, "Authorization", "Bearer open sesame"), http.StatusAccepted)
}

func TestStrangersFillNeitherTheLogNorTheMetrics(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	for i := range 1000 {
		b.send(fmt.Sprintf("guess-%d-\"secret\n", i)[:8], `{"password":"hunter2"}`, "Authorization", "Bearer stolen", "X-Sig", "forged")
	}
	if lines := strings.Count(b.log.String(), "\n"); lines == 0 || lines > 100 {
		t.Errorf("1000 guesses wrote %d lines", lines)
	}
	for _, text := range []string{"guess", "stolen", "forged", "hunter2"} {
		if strings.Contains(b.log.String(), text) {
			t.Errorf("%q is in the log", text)
		}
	}
	for _, r := range b.seen {
		if r.Source != "" || r.Outcome != Unauthorized {
			t.Fatalf("observed %+v: names that strangers make up are no labels", r)
		}
	}
	if len(b.seen) != 1000 {
		t.Errorf("%d of 1000 were observed", len(b.seen))
	}
}

func TestNeitherBodyNorCredentialsAreLogged(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	for _, c := range []struct {
		source, body string
		headers      []string
	}{
		{"open", `{"version":"4","alerts":[{"labels":{"alertname":"hunter2"}}]}`, nil},
		{"open", `{"version":"4","alerts":[{"startsAt":"` + strings.Repeat("hunter2", 1000) + `"}]}`, nil},
		{"bearer", alertBody, []string{"Authorization", "Bearer hunter2"}},
		{"open", alertBody, []string{"Content-Encoding", "gzip"}},
	} {
		b.send(c.source, c.body, c.headers...)
	}
	b.store.err = errors.New("full")
	b.send("bearer", alertBody, "Authorization", "Bearer open sesame")
	log := b.log.String()
	if strings.Contains(log, "sesame") || strings.Contains(log, "Bearer h") || strings.Contains(log, "Burn") || len(log) > 3000 {
		t.Errorf("the log has %d bytes:\n%.3000s", len(log), log)
	}
}

func zipped(t testing.TB, text string) string {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestCompressedBodies(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	wantReply(t, b.send("open", zipped(t, alertBody), "Content-Encoding", "gzip"), http.StatusAccepted)
	// The signature is of what was sent.
	small := zipped(t, alertBody)
	wantReply(t, b.send("signed", small, "Content-Encoding", "GZIP", "X-Sig", sign("k", small)), http.StatusAccepted)
	if all := b.store.all(); string(all[0].Body) != alertBody || string(all[1].Body) != alertBody {
		t.Error("it was not stored decompressed")
	}
	if w := b.send("signed", small, "Content-Encoding", "gzip", "X-Sig", sign("k", alertBody)); w.Code != http.StatusUnauthorized {
		t.Errorf("a signature of the decompressed body: %d", w.Code)
	}
	for encoding, body := range map[string]string{"br": alertBody, "gzip": alertBody, "gzip, gzip": zipped(t, zipped(t, alertBody)), "x-gzip": small[:len(small)-6]} {
		if got := wantReply(t, b.send("open", body, "Content-Encoding", encoding), http.StatusBadRequest); got.Error == "" {
			t.Errorf("%s: no word of what is wrong", encoding)
		}
	}
}

// Ten megabytes of blanks are ten kilobytes when compressed.
func TestAGzipBombIsRefusedAtTheLimit(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	bomb := zipped(t, strings.Repeat(" ", 10<<20))
	if len(bomb) > 20<<10 {
		t.Fatalf("the bomb has %d bytes", len(bomb))
	}
	wantReply(t, b.send("open", bomb, "Content-Encoding", "gzip"), http.StatusRequestEntityTooLarge)
	if out, err := unpack("gzip", []byte(bomb), 1<<20); !errors.Is(err, errTooLarge) || out != nil {
		t.Errorf("%d bytes were unpacked (%v)", len(out), err)
	}
}

func TestBodiesThatAreTooLarge(t *testing.T) {
	b := newBench(t, "  small: {format: alertmanager, max_body: 1KiB, bearer_file: token}\n  large: {format: alertmanager, max_body: 2MiB, bearer_file: token}\n", guardedFiles, nil)
	pad := func(n int) string { return alertBody + strings.Repeat(" ", n-len(alertBody)) }
	right := []string{"Authorization", "Bearer open sesame"}
	wantReply(t, b.send("small", pad(1024), right...), http.StatusAccepted)
	wantReply(t, b.send("small", pad(1025), right...), http.StatusRequestEntityTooLarge)
	wantReply(t, b.send("large", pad(2<<20), right...), http.StatusAccepted)
	wantReply(t, b.send("large", pad(2<<20+1), right...), http.StatusRequestEntityTooLarge)
	// The limit of one source is nobody's business without its credentials.
	if w := b.send("small", pad(1025)); w.Code != http.StatusUnauthorized {
		t.Errorf("status %d shows the limit", w.Code)
	}
	// What says that it is too large is not read at all.
	r := httptest.NewRequest(http.MethodPost, Prefix+"large", iotest.ErrReader(errors.New("it was read")))
	r.ContentLength = 1 << 40
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	wantReply(t, w, http.StatusRequestEntityTooLarge)
	// And what does not say so is read up to the limit.
	endless := &counter{}
	r = httptest.NewRequest(http.MethodPost, Prefix+"large", endless)
	r.ContentLength = -1
	w = httptest.NewRecorder()
	b.ServeHTTP(w, r)
	wantReply(t, w, http.StatusRequestEntityTooLarge)
	if endless.n > 2<<20+2*chunk {
		t.Errorf("%d bytes of an endless body were read", endless.n)
	}
}

// counter is an endless body that counts what was read of it.
type counter struct{ n int }

func (c *counter) Read(p []byte) (int, error) { c.n += len(p); return len(p), nil }

func TestAllBodiesTogetherAreBounded(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, func(o *Options) { o.MaxHeld = 2 * chunk })
	block, released := make(chan struct{}), make(chan int)
	go func() {
		r := httptest.NewRequest(http.MethodPost, Prefix+"open", io.MultiReader(strings.NewReader(strings.Repeat(" ", chunk+1)), waiting{block}))
		r.ContentLength = -1
		w := httptest.NewRecorder()
		b.Handler.ServeHTTP(w, r)
		released <- w.Code
	}()
	deadline := time.Now().Add(10 * time.Second)
	for b.budget.held.Load() < 2*chunk {
		if time.Now().After(deadline) {
			t.Fatal("the first body was not read")
		}
		time.Sleep(time.Millisecond)
	}
	w := b.send("open", alertBody)
	wantReply(t, w, http.StatusServiceUnavailable)
	if w.Header().Get("Retry-After") == "" {
		t.Error("no word of when to try again")
	}
	close(block)
	if code := <-released; code != http.StatusBadRequest {
		t.Errorf("the first got %d", code)
	}
	if held := b.budget.held.Load(); held != 0 {
		t.Errorf("%d bytes are still held", held)
	}
	wantReply(t, b.send("open", alertBody), http.StatusAccepted)
}

// waiting is a body whose end comes when its channel is closed.
type waiting struct{ until chan struct{} }

func (w waiting) Read([]byte) (int, error) { <-w.until; return 0, io.EOF }

// A sender that dribbles is cut off, and others are served meanwhile.
func TestASlowLorisIsCutOff(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, func(o *Options) { o.Patience = 50 * time.Millisecond; o.Observe = nil })
	server := httptest.NewServer(b.Handler)
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "POST %sopen HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n{", Prefix, len(alertBody))
	r, err := http.Post(server.URL+Prefix+"open", "text/plain", strings.NewReader(alertBody))
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusAccepted {
		t.Errorf("another sender got %d", r.StatusCode)
	}
	slow, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatalf("it was not answered: %v", err)
	}
	slow.Body.Close()
	if slow.StatusCode != http.StatusRequestTimeout || !slow.Close {
		t.Errorf("status %d, close %v, want 408 and the connection's end", slow.StatusCode, slow.Close)
	}
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, io.EOF) && !isReset(err) {
		t.Errorf("the connection is still open (%v)", err)
	}
}

func isReset(err error) bool { return err != nil && strings.Contains(err.Error(), "reset") }

// A connection outlives a request: the deadline of one body is not that of the next.
func TestADeadlineEndsWithItsBody(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, func(o *Options) { o.Observe = nil })
	server := httptest.NewServer(b.Handler)
	defer server.Close()
	for range 3 {
		r, err := server.Client().Post(server.URL+Prefix+"open", "", strings.NewReader(alertBody))
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		if r.StatusCode != http.StatusAccepted {
			t.Fatalf("status %d", r.StatusCode)
		}
	}
}

func TestBodiesThatAreNoAlert(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	for body, want := range map[string]string{
		"":           "empty",
		"{":          "ends early",
		"\xff\xfe{}": "not UTF-8",
		`{"version":"4","alerts":[{"startsAt":"2026-03-04T11:58:00Z","labels":{"a":"` + "\x80" + `"}}]}`: "not UTF-8",
		`{"hello":"world"}`: "unknown alert format",
		`{"version":"1","orgId":1,"alerts":[{"startsAt":"2026-03-04T11:58:00Z"}]}`: "of the format grafana, but alertmanager was configured",
		strings.Repeat("[", 100_000):    "JSON object belongs",
		strings.Repeat(`{"a":`, 20_000): "nest",
	} {
		got := wantReply(t, b.send("open", body), http.StatusBadRequest)
		if !strings.Contains(got.Error, want) && !strings.Contains(got.Error, "depth") || len(got.Error) > 500 {
			t.Errorf("%.60q: %.500s, want in it %q", body, got.Error, want)
		}
	}
	if len(b.store.all()) > 0 {
		t.Error("something was stored")
	}
	broken := httptest.NewRequest(http.MethodPost, Prefix+"open", iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader(alertBody))))
	w := httptest.NewRecorder()
	b.ServeHTTP(w, broken)
	wantReply(t, w, http.StatusBadRequest)
}

func TestOtherMethodsAreTold(t *testing.T) {
	b := newBench(t, guarded, guardedFiles, nil)
	for _, method := range []string{http.MethodGet, http.MethodPut, http.MethodDelete, http.MethodOptions, "BREW"} {
		w := httptest.NewRecorder()
		b.ServeHTTP(w, httptest.NewRequest(method, Prefix+"open", strings.NewReader(alertBody)))
		wantReply(t, w, http.StatusMethodNotAllowed)
		if w.Header().Get("Allow") != "POST" {
			t.Errorf("%s: Allow is %q", method, w.Header().Get("Allow"))
		}
	}
}

func TestTheRateLimitIsTheSourcesOwn(t *testing.T) {
	b := newBench(t, "  a: {format: alertmanager, per_minute: 3}\n  b: {format: alertmanager, per_minute: 3}\n", nil, nil)
	for range 3 {
		wantReply(t, b.send("a", alertBody), http.StatusAccepted)
	}
	for range 2 { // a refusal costs nothing
		w := b.send("a", alertBody)
		wantReply(t, w, http.StatusTooManyRequests)
		if got := w.Header().Get("Retry-After"); got != "20" {
			t.Errorf("Retry-After is %q, want the 20 s until the next", got)
		}
	}
	wantReply(t, b.send("b", alertBody), http.StatusAccepted)
	b.clock = b.clock.Add(20 * time.Second)
	wantReply(t, b.send("a", alertBody), http.StatusAccepted)
	wantReply(t, b.send("a", alertBody), http.StatusTooManyRequests)
	// A reload does not start the minute again, another limit does.
	if err := b.Reload(b.sources(t, "  a: {format: alertmanager, per_minute: 3}\n")); err != nil {
		t.Fatal(err)
	}
	wantReply(t, b.send("a", alertBody), http.StatusTooManyRequests)
	if err := b.Reload(b.sources(t, "  a: {format: alertmanager, per_minute: 5}\n")); err != nil {
		t.Fatal(err)
	}
	wantReply(t, b.send("a", alertBody), http.StatusAccepted)
}

func TestCredentialsAreReloadedAtOnceOrNotAtAll(t *testing.T) {
	b := newBench(t, bearerSource, bearerFiles, nil)
	write := func(text string) {
		if err := os.WriteFile(b.dir+"/token", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	code := func(token string) int { return b.send("team", alertBody, "Authorization", "Bearer "+token).Code }
	write("new")
	if code("open sesame") != http.StatusAccepted {
		t.Error("the old token does not work before the reload")
	}
	if err := b.Reload(b.sources(t, bearerSource)); err != nil {
		t.Fatal(err)
	}
	if code("open sesame") != http.StatusUnauthorized || code("new") != http.StatusAccepted {
		t.Error("the reload did not change the token")
	}
	write("  \n")
	if err := b.Reload(b.sources(t, bearerSource)); err == nil || !strings.Contains(err.Error(), "alerts.team.bearer_file") {
		t.Errorf("an empty file: %v", err)
	}
	if code("new") != http.StatusAccepted || code("") != http.StatusUnauthorized {
		t.Error("a reload that failed changed something")
	}
	if err := b.Reload(nil); err != nil {
		t.Fatal(err)
	}
	if code("new") != http.StatusUnauthorized {
		t.Error("a source that was removed still answers")
	}
}

func TestANewHandlerRefusesSecretsItCannotRead(t *testing.T) {
	for name, source := range map[string]config.AlertSource{
		"no file":     {Format: "alertmanager", BearerFile: "/nonexistent", MaxBody: "1MiB", PerMinute: 1},
		"no defaults": {Format: "alertmanager"},
	} {
		if _, err := New(map[string]config.AlertSource{"x": source}, &store{}, Options{}); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if _, err := New(nil, &store{}, Options{Random: iotest.ErrReader(errors.New("no entropy"))}); err == nil {
		t.Error("a handler without randomness has decoys that can be guessed")
	}
}

func TestASecretThatOthersCanReadIsLogged(t *testing.T) {
	b := newBench(t, bearerSource, bearerFiles, nil)
	if err := os.Chmod(b.dir+"/token", 0o644); err != nil {
		t.Fatal(err)
	}
	if err := b.Reload(b.sources(t, bearerSource)); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(b.log.String(), "chmod o-r") || strings.Contains(b.log.String(), "sesame") {
		t.Errorf("logged: %s", b.log)
	}
}
