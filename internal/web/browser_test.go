package web

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/remedy/docket"
)

// window is a real browser.
type window struct {
	t   *testing.T
	ctx context.Context

	mu         sync.Mutex
	fetched    []string
	complaints []string
}

func newWindow(t *testing.T) *window {
	t.Helper()
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("SKIPPED: the pages were not opened in a browser; install chromium")
	}
	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	t.Cleanup(cancel)
	ctx, cancel = chromedp.NewContext(ctx)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 4*time.Minute)
	t.Cleanup(cancel)
	w := &window{t: t, ctx: ctx}
	if err := chromedp.Listen(ctx, func(ev any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			w.fetched = append(w.fetched, ev.Request.URL)
		case *runtime.EventExceptionThrown:
			w.complaints = append(w.complaints, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			w.complaints = append(w.complaints, ev.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *window) open(url string, width int64, scheme string) {
	w.t.Helper()
	if _, err := chromedp.Call(w.ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}}); err != nil {
		w.t.Fatal(err)
	}
	if err := chromedp.Do(w.ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(url)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *window) run(expression string) {
	w.t.Helper()
	if _, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("(() => {"+expression+"; return true})()")); err != nil {
		w.t.Fatal(err)
	}
}

func (w *window) number(expression string) int64 {
	w.t.Helper()
	n, err := chromedp.Run(w.ctx, chromedp.Evaluate[int64](expression))
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}

// until waits for an expression to hold on the page.
func (w *window) until(what, expression string) {
	w.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for time.Now().Before(deadline) {
		ok, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("!!("+expression+")"))
		if err == nil && ok {
			return
		}
	}
	w.t.Fatalf("the page never showed %s", what)
}

// clean fails the test for what the page fetched from elsewhere and for what the browser complained about.
func (w *window) clean(base string) {
	w.t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, u := range w.fetched {
		if !strings.HasPrefix(u, base+"/") && u != "data:," {
			w.t.Errorf("the page fetched %s", u)
		}
	}
	for _, c := range w.complaints {
		w.t.Errorf("the browser complains: %s", c)
	}
}

// picture keeps a picture of the page for whoever wants to look, in the directory that REMEDIATOR_PICTURES names.
func (w *window) picture(name string) {
	w.t.Helper()
	dir := os.Getenv("REMEDIATOR_PICTURES")
	if dir == "" {
		return
	}
	png, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		w.t.Fatal(err)
	}
}

// fill stores many cases at all stages.
func (s *site) fill(n int, title string) {
	for i := range n {
		stage := stages[i%len(stages)]
		s.record(fp(fmt.Sprintf("%08x", i+100)), func(r *docket.Record) {
			if stage == docket.Held {
				held("A critical incident waits for a person before anything is proposed")(r)
			}
			r.Stage, r.Alerts = stage, i+1
			r.FirstAlert = r.FirstAlert.Add(-time.Duration(i) * 17 * time.Minute)
			r.Incident.Severity = []incident.Severity{incident.Critical, incident.Major, incident.Minor, incident.Unknown}[i%4]
			if stage != docket.Queued {
				r.Attempt = 1
				r.Summary = &docket.Summary{Title: title, Service: "payments", Why: "The incident is gone with the flag on, and with it off the build cannot be told from the base", Commit: "2222222222"}
			}
			if stage == docket.Running {
				r.Progress = "proved"
			}
			if stage == docket.Joined {
				r.JoinedTo = fp("00000064")
			}
			if stage == docket.Failed {
				r.Failure = "the clone of acme/shop failed: connection reset by peer"
			}
			if stage == docket.Proposed || stage == docket.Merged {
				r.Pull = &docket.Pull{Number: i, URL: fmt.Sprintf("https://github.com/acme/shop/pull/%d", i), State: "open", Draft: true}
			}
		})
	}
}

// TestPagesInABrowser opens every page in a real browser, wide and narrow, light and dark, with few and many cases and with
// text that attacks the page: nothing sticks out, nothing foreign is fetched, nothing complains.
func TestPagesInABrowser(t *testing.T) {
	w := newWindow(t)
	empty, one, many, attacked, closed := newSite(t, onLoopback), newSite(t, onLoopback), newSite(t, onLoopback), newSite(t, onLoopback), newSite(t)
	one.workedOut(fp("12345678"), "Retries without a pause in payments", func(r *docket.Record) { r.Decision, r.Pull = nil, nil })
	many.fill(500, "Retries without a pause in payments")
	many.breaker = docket.Breaker{Tripped: many.clock.Now(), Why: "12 cases opened within 10m0s, and more than 10 are too many to be causes of their own"}
	many.letters = []docket.DeadLetter{{ID: "case/7", Kind: docket.CaseTask, Case: fp("00000064"), At: many.clock.Now(), Error: "out of disk", Tries: 5}}
	long := hostile + strings.Repeat("verylongwordwithoutanyspace", 30)
	attacked.fill(12, long)
	attacked.workedOut(fp("12345678"), long)
	for _, p := range []struct{ name, url string }{
		{"empty", empty.server.URL + "/"}, {"one", one.server.URL + "/"}, {"case", one.server.URL + "/cases/" + fp("12345678")}, {"many", many.server.URL + "/"},
		{"filtered", many.server.URL + "/?stage=held,proposed"}, {"attacked", attacked.server.URL + "/"}, {"attacked-case", attacked.server.URL + "/cases/" + fp("12345678")}, {"login", closed.server.URL + "/login"},
		{"gone", one.server.URL + "/cases/" + fp("99999999")},
	} {
		for _, width := range []int64{1280, 375, 360} {
			for _, scheme := range []string{"light", "dark"} {
				w.open(p.url, width, scheme)
				if scroll := w.number(`document.documentElement.scrollWidth`); scroll > width {
					t.Errorf("%s at %d is %d wide", p.name, width, scroll)
				}
				if size := w.number(`parseInt(getComputedStyle(document.querySelector("h1")).fontSize)`); size < 18 {
					t.Errorf("%s at %d: the style is not there", p.name, width)
				}
				if width != 360 {
					w.picture(fmt.Sprintf("%s-%d-%s", p.name, width, scheme))
				}
			}
		}
	}
	w.open(one.server.URL+"/cases/"+fp("12345678"), 1280, "light")
	w.run(`document.querySelector("iframe").scrollIntoView()`)
	w.until("the report", `performance.getEntriesByType("resource").some(e => e.name.endsWith("/report.html"))`)
	w.mu.Lock()
	// A page that is not there is logged by the browser as such.
	kept := w.complaints[:0]
	for _, c := range w.complaints {
		if !strings.Contains(c, "404 (Not Found)") {
			kept = append(kept, c)
		}
	}
	w.complaints = kept
	var foreign []string
	for _, u := range w.fetched {
		if !strings.HasPrefix(u, "http://127.0.0.1:") {
			foreign = append(foreign, u)
		}
	}
	w.fetched = nil
	w.mu.Unlock()
	if len(foreign) > 0 && strings.Join(foreign, "") != strings.Repeat("data:,", len(foreign)) {
		t.Errorf("fetched from elsewhere: %q", foreign)
	}
	w.clean("")
}

// A case is followed and decided on without a reload, and what somebody writes meanwhile is not lost.
func TestPageMovesWithItsCaseInABrowser(t *testing.T) {
	w := newWindow(t)
	s := newSite(t, onLoopback)
	s.answer = func(a docket.Action) (string, error) {
		rec, err := s.memory.Get(t.Context(), a.Case)
		if err != nil {
			return "", err
		}
		rec.Stage, rec.Hold, rec.Decision = docket.Writing, nil, &docket.Decision{Approve: true, By: a.By, Via: a.Via, Reason: a.Reason, At: s.clock.Now()}
		return "approved: it is being written", s.memory.Put(t.Context(), rec)
	}
	w.open(s.server.URL+"/", 1280, "light")
	w.until("that it is live", `document.getElementById("live").textContent === "live"`)
	w.run(`window.sameDocument = true`)
	rec := s.record(fp("12345678"))
	w.until("a new case", `document.querySelector('a[href="/cases/`+fp("12345678")+`"]')`)
	held("a critical incident")(rec)
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.until("that it waits", `document.querySelector("h1").textContent === "1 case waits for a person" && document.title.startsWith("1 case")`)
	if w.number(`window.sameDocument ? 1 : 0`) != 1 {
		t.Error("the page was reloaded")
	}

	w.open(s.server.URL+"/cases/"+fp("12345678"), 1280, "light")
	w.until("that it is live", `document.getElementById("live").textContent === "live"`)
	w.run(`document.getElementById("reason").focus(); document.getElementById("reason").value = "I read"`)
	rec.Alerts = 41
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.until("another alert", `document.getElementById("case-top").textContent.includes("41 alerts")`)
	w.until("what was written", `document.getElementById("reason").value === "I read" && document.activeElement.id === "reason"`)
	if w.number(`document.getElementById("stale").hidden ? 1 : 0`) != 1 {
		t.Error("an alert is taken for a change of what is decided on")
	}
	rec.Hold = &docket.Hold{Code: "approval", Why: "another change", Since: rec.Hold.Since.Add(time.Second)}
	if err := s.memory.Put(t.Context(), rec); err != nil {
		t.Fatal(err)
	}
	w.until("that the case changed", `!document.getElementById("stale").hidden && document.getElementById("reason").value === "I read"`)
	w.open(s.server.URL+"/cases/"+fp("12345678"), 375, "dark")
	w.run(`document.getElementById("reason").value = "looks right"; document.querySelector("button.good").click()`)
	w.until("the answer", `document.querySelector(".banner.good")?.textContent.includes("approved: it is being written")`)
	if got := s.actions(); len(got) != 1 || got[0].Reason != "looks right" || got[0].Via != "page" {
		t.Errorf("%+v", got)
	}
	w.clean(s.server.URL)
}
