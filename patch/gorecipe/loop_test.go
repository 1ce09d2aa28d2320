package gorecipe

import (
	"strings"
	"testing"
	"testing/fstest"
)

// program puts statements into a function with everything at hand that they need.
func program(body string) *fn {
	src := `package p

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const limit = 5

var errBusy = errors.New("busy")

type answer struct {
	Done  bool
	Token string
	Items []int
}

type api interface {
	Call(ctx context.Context, token string) (*answer, error)
	Send(ctx context.Context) (*http.Response, error)
	Try(ctx context.Context) error
}

func retryable(err error) bool { return errors.Is(err, errBusy) }

func sleepFor(n int) { time.Sleep(time.Duration(n) * time.Second) }

func f(ctx context.Context, a api, max int, timeout time.Duration) (err error) {
` + body + `
	_, _, _, _ = fmt.Sprint(), io.EOF, ctx, timeout
	return err
}
`
	t := newTree(fstest.MapFS{"go.mod": {Data: []byte("module example.com/p\n\ngo 1.22\n")}, "p.go": {Data: []byte(src)}})
	p := t.pkg(".")
	if p == nil {
		panic("the program does not parse:\n" + src)
	}
	return p.function("", "f")
}

func TestFindLoop(t *testing.T) {
	tests := []struct {
		name, body string
		bound      int // -1: no loop, or a reason
		reason     string
	}{
		{"counted", `for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil } }`, 3, ""},
		{"counted from one, inclusive", `for i := 1; i <= limit; i++ { if err = a.Try(ctx); err == nil { break } }`, 5, ""},
		{"range over a parameter", `for range max { if err = a.Try(ctx); err != nil { continue }; return nil }`, 0, ""},
		{"range over a constant", `for i := range limit { _ = i; if err = a.Try(ctx); err == nil { return nil } }`, 5, ""},
		{"open, bound inside", `for n := 1; ; n++ { if err = a.Try(ctx); err == nil { return nil }; if n >= 4 { return err } }`, 4, ""},
		{"error in the condition", `err = errBusy; for i := 0; i < 3 && err != nil; i++ { err = a.Try(ctx) }`, 3, ""},
		{"success last", `for i := 0; i < 3; i++ { err = a.Try(ctx); if err != nil { if !retryable(err) { return err }; continue }; return nil }`, 3, ""},
		{"status", `for i := 0; i < 3; i++ { resp, err := a.Send(ctx); if err != nil { return err }; if resp.StatusCode < 500 { return nil } }`, 3, ""},
		{"status hundreds", `for i := 0; i < 3; i++ { resp, err := a.Send(ctx); if err == nil && resp.StatusCode/100 == 2 { return nil } }`, 3, ""},
		{"status switch", `for i := 0; i < 3; i++ { resp, err := a.Send(ctx); if err != nil { return err }; switch resp.StatusCode { case 200: return nil; case 429, 503: continue; default: return errBusy } }`, 3, ""},
		{"tagless switch", `for i := 0; i < 3; i++ { err = a.Try(ctx); switch { case err == nil: return nil; case retryable(err): continue; default: return err } }`, 3, ""},
		{"else branch", `for i := 0; i < 3; i++ { if err = a.Try(ctx); err != nil { fmt.Println(err) } else { return nil } }`, 3, ""},
		{"errors.Is", `for i := 0; i < 3; i++ { err = a.Try(ctx); if !errors.Is(err, errBusy) { return err } }`, 3, ""},
		{"closure", `g := func() error { for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil } }; return err }; err = g()`, 3, ""},
		{"constant sleep", `for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil }; time.Sleep(timeout) }`, 3, ""},

		{"pagination", `token := ""; for { r, err := a.Call(ctx, token); if err != nil { return err }; if r.Token == "" { return nil }; token = r.Token }`, -1, ""},
		{"polling", `for i := 0; i < 3; i++ { r, err := a.Call(ctx, ""); if err != nil { return err }; if r.Done { return nil }; time.Sleep(time.Second) }`, -1, ""},
		{"polling that bears errors", `for i := 0; i < 3; i++ { r, err := a.Call(ctx, ""); if err != nil { continue }; if r.Done { return nil } }`, -1, ""},
		{"worker", `for { if err := a.Try(ctx); err != nil { fmt.Println(err) }; time.Sleep(time.Second) }`, -1, ""},
		{"best effort over items", `for _, token := range []string{"a"} { if _, err := a.Call(ctx, token); err != nil { continue }; break }`, -1, ""},
		{"no call", `for i := 0; i < 3; i++ { if err == nil { return nil } }`, -1, ""},
		{"growing by counter", `for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil }; time.Sleep(time.Duration(i) * time.Second) }`, -1, "longer with each attempt"},
		{"growing variable", `d := time.Second; for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil }; time.Sleep(d); d += d }`, -1, "longer with each attempt"},
		{"growing helper", `for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil }; sleepFor(i) }`, -1, "longer with each attempt"},
		{"waits for something else", `done := make(chan int); for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil }; select { case <-done: return nil; case <-time.After(timeout): } }`, -1, "something else"},
		{"reads to the end", `for i := 0; i < 3; i++ { err = a.Try(ctx); if err == io.EOF { return nil }; if err == nil { return nil } }`, -1, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			loops, why := findLoop(program(tt.body))
			if tt.bound < 0 {
				if len(loops) > 0 {
					t.Fatalf("taken for a retry loop of %s", loops[0].fn.file.text(loops[0].call))
				}
				if got := strings.Join(why, "; "); (tt.reason == "") != (got == "") || !strings.Contains(got, tt.reason) {
					t.Errorf("reason %q, want %q", got, tt.reason)
				}
				return
			}
			if len(loops) != 1 {
				t.Fatalf("%d loops, reasons %q", len(loops), why)
			}
			if loops[0].bound != tt.bound {
				t.Errorf("bound %d, want %d", loops[0].bound, tt.bound)
			}
		})
	}
}

func FuzzRecipes(f *testing.F) {
	f.Add("for i := 0; i < 3; i++ { if err = a.Try(ctx); err == nil { return nil } }", 30)
	f.Add("var x *answer; _ = x.Done", 34)
	f.Add("http.Get(\"\")", 34)
	f.Add("type A struct{ *A }; var z A; z.q()", 34)
	f.Fuzz(func(t *testing.T, body string, line int) {
		src := strings.TrimSuffix("package p\n\nimport \"net/http\"\n\nfunc f() error {\n"+body+"\n}\n", "")
		checkRecipes(t, src, line)
	})
}
