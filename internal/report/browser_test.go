package report

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// TestPageInABrowser opens the report in a real browser, wide and narrow: nothing is fetched, nothing
// complains, nothing sticks out, and the pictures have a size.
func TestPageInABrowser(t *testing.T) {
	program := ""
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if path, err := exec.LookPath(name); err == nil {
			program = path
			break
		}
	}
	if program == "" {
		t.Skip("SKIPPED: the report was not opened in a browser; install chromium")
	}
	_, page := render(t, proposed("a service with a rather long name and POST /orders/{id}/items"))
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_, _ = w.Write([]byte(page))
	}))
	defer srv.Close()

	opts := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(program), chromedp.NoSandbox, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-quic", true))
	ctx, cancel := chromedp.NewExecAllocator(context.Background(), opts...)
	defer cancel()
	ctx, cancel = chromedp.NewContext(ctx)
	defer cancel()
	ctx, cancel = context.WithTimeout(ctx, 90*time.Second)
	defer cancel()

	var mu sync.Mutex
	var fetched, complaints []string
	if err := chromedp.Listen(ctx, func(ev any) {
		mu.Lock()
		defer mu.Unlock()
		switch ev := ev.(type) {
		case *network.EventRequestWillBeSent:
			fetched = append(fetched, ev.Request.URL)
		case *runtime.EventExceptionThrown:
			complaints = append(complaints, ev.ExceptionDetails.Text)
		case *log.EventEntryAdded:
			complaints = append(complaints, ev.Entry.Text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if _, err := chromedp.Call(ctx, network.Enable, network.EnableParams{}); err != nil {
		t.Fatal(err)
	}
	number := func(expression string) int64 {
		t.Helper()
		n, err := chromedp.Run(ctx, chromedp.Evaluate[int64](expression))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for _, width := range []int64{1200, 480} {
		if err := chromedp.Do(ctx, chromedp.EmulateViewport(width, 900), chromedp.Navigate(srv.URL+"/")); err != nil {
			t.Fatal(err)
		}
		scroll, inner := number(`document.documentElement.scrollWidth`), number(`window.innerWidth`)
		pictures := number(`[...document.querySelectorAll("svg")].filter(s => s.getBoundingClientRect().height > 20).length`)
		if scroll > inner {
			t.Errorf("at %d wide the page is %d wide", inner, scroll)
		}
		if pictures < 3 {
			t.Errorf("at %d wide %d pictures have a size, want graph, critical path and replayed request", inner, pictures)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	for _, u := range fetched {
		if u != srv.URL+"/" && u != srv.URL+"/favicon.ico" {
			t.Errorf("the page fetched %s", u)
		}
	}
	for _, c := range complaints {
		t.Errorf("the browser complains: %s", c)
	}
}
