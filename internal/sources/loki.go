package sources

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LokiOptions say what is fetched. The zero value of each field means its default.
type LokiOptions struct {
	// ServiceLabels name the service, the first that a stream has.
	ServiceLabels []string
	// Selector is the stream selector of the logs that count; found when empty.
	Selector string
	// Limit is how many records are fetched for one window. Default 50,000.
	Limit int
	// Page is how many records are asked for at once; Loki's own limit is 5,000 by default. Default 5,000.
	Page int
	// TraceIDs is how many traces are taken from records of errors. Default 200.
	TraceIDs int
}

const (
	// slices of a window whose records are more than the limit: each gives its share, so that the whole window is seen.
	lokiSlices = 24
	// shortest window that is split further when a server finds it too long.
	lokiShortest = time.Millisecond
	// lokiRequests bounds the requests of one fetch, whatever the server answers.
	lokiRequests = 2000
)

// Loki is a server with Loki's HTTP API, https://grafana.com/docs/loki/latest/reference/loki-http-api/.
type Loki struct {
	client *Client
	o      LokiOptions
}

// NewLoki asks nothing yet.
func NewLoki(c *Client, o LokiOptions) *Loki {
	o.Limit = positive(o.Limit, 50_000)
	o.Page = positive(o.Page, 5000)
	o.TraceIDs = positive(o.TraceIDs, 200)
	if len(o.ServiceLabels) == 0 {
		o.ServiceLabels = []string{"service_name", "service", "app_kubernetes_io_name", "app", "job"}
	}
	return &Loki{client: c, o: o}
}

// Name is the server for people.
func (l *Loki) Name() string { return l.client.Name() }

// Probe says whether there is any record in the window.
func (l *Loki) Probe(ctx context.Context, q Query) (bool, error) {
	selector, err := l.selector(ctx, q)
	if err != nil || selector == "" {
		return false, err
	}
	page, err := l.page(ctx, lokiAsk{selector, q.Window, 1, backward})
	return page.n > 0, err
}

// Fetch brings the records of the window, all where the limit allows, else a share of each part of it.
func (l *Loki) Fetch(ctx context.Context, q Query, to Sink) (Report, error) {
	begin := l.client.Now()
	f := &lokiFetch{l: l, q: q, to: to, page: l.o.Page, report: Report{Source: l.Name(), Window: q.Name}, ids: map[string]bool{}}
	err := f.run(ctx)
	f.report.Elapsed = l.client.Now().Sub(begin)
	if err != nil && f.report.Logs > 0 {
		f.partial("stopped early: %v", err)
		err = nil
	}
	return f.report, err
}

type lokiFetch struct {
	l        *Loki
	q        Query
	to       Sink
	page     int // the size of pages that the server lets pass
	requests int
	report   Report
	ids      map[string]bool
}

func (f *lokiFetch) partial(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(f.report.Partial) < 50 && !slices.Contains(f.report.Partial, text) {
		f.report.Partial = append(f.report.Partial, text)
	}
}

func (f *lokiFetch) run(ctx context.Context) error {
	selector, err := f.l.selector(ctx, f.q)
	if err != nil {
		return err
	}
	if selector == "" {
		f.partial("%s has no stream with one of the labels %s in this window; set sources.logs.selector or sources.service_labels", f.l.Name(), strings.Join(f.l.o.ServiceLabels, ", "))
		return nil
	}
	limit := f.l.o.Limit
	entries, known := f.l.volume(ctx, selector, f.q.Window)
	switch {
	case known && entries > limit:
		f.partial("about %d records match and %d are taken, evenly over the window; narrow sources.logs.selector, or raise sources.logs.limit", entries, limit)
		length := f.q.Window.To.Sub(f.q.Window.From)
		left := limit
		for i := range lokiSlices {
			w := Window{f.q.Window.From.Add(length * time.Duration(i) / lokiSlices), f.q.Window.From.Add(length * time.Duration(i+1) / lokiSlices)}
			// What earlier parts did not need is there for later ones.
			n, err := f.window(ctx, selector, w, left/(lokiSlices-i), forward)
			left -= n
			if err != nil {
				return err
			}
		}
	case known:
		_, err = f.window(ctx, selector, f.q.Window, limit, forward)
	default:
		// Nobody knows how many there are: half from the beginning, where it went wrong, half from the end.
		half := Window{f.q.Window.From, f.q.Window.From.Add(f.q.Window.To.Sub(f.q.Window.From) / 2)}
		n, err := f.window(ctx, selector, half, (limit+1)/2, forward)
		if err != nil {
			return err
		}
		_, err = f.window(ctx, selector, Window{half.To, f.q.Window.To}, limit-n, backward)
		if err != nil {
			return err
		}
	}
	if err == nil && f.report.Logs == 0 {
		f.partial("%s has no records of %s in this window", f.l.Name(), selector)
	}
	return err
}

// direction is in which order a window is read.
type direction string

const (
	forward  direction = "forward"
	backward direction = "backward"
)

// lokiAsk is one question to Loki.
type lokiAsk struct {
	selector string
	window   Window
	limit    int
	dir      direction
}

// window fetches up to limit records of a window, page by page. A page begins at the time of the last record of the page
// before, since several records may bear one time; those that came already are told by stream, time and text, which is
// what Loki itself tells them by.
func (f *lokiFetch) window(ctx context.Context, selector string, w Window, limit int, dir direction) (int, error) {
	taken := 0
	var seen map[string]bool // records at the edge, the time where the last page ended
	var edge int64
	page := min(f.page, limit)
	for taken < limit && w.From.Before(w.To) {
		if f.requests++; f.requests > lokiRequests {
			f.partial("stopped after %d requests; narrow sources.logs.selector", lokiRequests)
			return taken, nil
		}
		got, err := f.l.page(ctx, lokiAsk{selector, w, page, dir})
		if err != nil {
			n, again, err := f.retry(ctx, selector, w, limit-taken, dir, page, err)
			if again {
				page = n
				continue
			}
			return taken + n, err
		}
		if got.warning != "" {
			f.partial("%s warns: %s", f.l.Name(), got.warning)
		}
		full := got.n >= page
		last, ok := got.last(dir)
		if !ok {
			return taken, nil
		}
		if last < w.From.UnixNano() || last >= w.To.UnixNano() {
			f.partial("%s answered with records outside the window, which are left out", f.l.Name())
			got.keep(func(e *lokiEntry, _ string) bool { return e.at >= w.From.UnixNano() && e.at < w.To.UnixNano() })
			full = false
		}
		fresh := map[string]bool{}
		if last == edge {
			fresh = seen
		}
		before := got.n
		got.keep(func(e *lokiEntry, key string) bool {
			if e.at == edge && seen[key] {
				return false
			}
			if e.at == last {
				fresh[key] = true
			}
			return true
		})
		got.cut(limit-taken, dir)
		if got.n == 0 && full && before > 0 {
			// A whole page of one nanosecond, all known: ask for more at once, else step over the time.
			if bigger := page * 2; bigger <= f.page && page < f.page {
				page = min(bigger, f.page)
				continue
			}
			f.partial("more than %d records bear the time %s; the rest of them is left out", page, stamp(time.Unix(0, last)))
			if dir == forward {
				w.From = time.Unix(0, last+1)
			} else {
				w.To = time.Unix(0, last)
			}
			continue
		}
		if err := f.hand(got); err != nil {
			return taken, err
		}
		taken += got.n
		if !full {
			return taken, nil
		}
		edge, seen = last, fresh
		if dir == forward {
			w.From = time.Unix(0, last)
		} else {
			w.To = time.Unix(0, last+1) // the end is not included
		}
		// Room for those that come again.
		page = min(f.page, limit-taken+len(seen))
	}
	return taken, nil
}

var entriesLimit = regexp.MustCompile(`max entries limit.*\(\d+ > (\d+)\)`)

// retry deals with an answer that asks for less: a smaller page, or the window in two halves. again says that the same
// window is to be asked anew with a page of n; else n is what the halves brought.
func (f *lokiFetch) retry(ctx context.Context, selector string, w Window, limit int, dir direction, page int, err error) (n int, again bool, _ error) {
	var status *StatusError
	text := ""
	if errors.As(err, &status) {
		text = strings.ToLower(status.Body)
	}
	if m := entriesLimit.FindStringSubmatch(text); m != nil || strings.Contains(text, "max entries limit") {
		smaller := page / 2
		if m != nil {
			if v, err := strconv.Atoi(m[1]); err == nil && v > 0 && v < page {
				smaller = v
			}
		}
		if smaller > 0 {
			f.page = smaller
			return smaller, true, nil
		}
		return 0, false, err
	}
	tooLarge := errors.Is(err, ErrTooLarge) || errors.Is(err, context.DeadlineExceeded)
	if tooLarge && page > 100 {
		f.page = page / 4
		return f.page, true, nil
	}
	tooLong := status != nil && (status.Status == http.StatusBadRequest || status.Status == http.StatusUnprocessableEntity || status.Status >= 500) &&
		(strings.Contains(text, "time range exceeds the limit") || strings.Contains(text, "too long") || strings.Contains(text, "too large") || strings.Contains(text, "too many") ||
			strings.Contains(text, "maximum of series") || strings.Contains(text, "would read too") || strings.Contains(text, "deadline exceeded") || strings.Contains(text, "timed out") ||
			status.Status == http.StatusGatewayTimeout)
	length := w.To.Sub(w.From)
	if !tooLong && !tooLarge || length < 2*lokiShortest || ctx.Err() != nil {
		return 0, false, err
	}
	halves := []Window{{w.From, w.From.Add(length / 2)}, {w.From.Add(length / 2), w.To}}
	if dir == backward {
		slices.Reverse(halves)
	}
	for _, half := range halves {
		got, err := f.window(ctx, selector, half, limit-n, dir)
		n += got
		if err != nil {
			return n, false, err
		}
	}
	return n, false, nil
}

// page asks once.
func (l *Loki) page(ctx context.Context, a lokiAsk) (lokiPage, error) {
	var answer lokiAnswer
	err := l.client.DecodeJSON(ctx, Request{
		Path: "/loki/api/v1/query_range",
		Query: url.Values{
			"query": {a.selector}, "limit": {strconv.Itoa(a.limit)}, "direction": {string(a.dir)},
			"start": {strconv.FormatInt(a.window.From.UnixNano(), 10)}, "end": {strconv.FormatInt(a.window.To.UnixNano(), 10)},
		},
		// With it the labels of a stream are its own, and what belongs to a record stands beside it.
		Header: map[string]string{"X-Loki-Response-Encoding-Flags": "categorize-labels"},
	}, &answer)
	if err != nil {
		return lokiPage{}, err
	}
	page, err := answer.page()
	if err != nil {
		return lokiPage{}, fmt.Errorf("%s: %w", l.Name(), err)
	}
	return page, nil
}

// selector is the configured selector, else one of the streams with the first service label that there is.
func (l *Loki) selector(ctx context.Context, q Query) (string, error) {
	if l.o.Selector != "" {
		return l.o.Selector, nil
	}
	var answer struct {
		Data []string `json:"data"`
	}
	times := url.Values{"start": {strconv.FormatInt(q.Window.From.UnixNano(), 10)}, "end": {strconv.FormatInt(q.Window.To.UnixNano(), 10)}}
	if err := l.client.GetJSON(ctx, "/loki/api/v1/labels", times, &answer); err != nil {
		return "", err
	}
	for _, label := range l.o.ServiceLabels {
		if slices.Contains(answer.Data, label) {
			return fmt.Sprintf("{%s=~%q}", label, ".+"), nil
		}
	}
	return "", nil
}

// volume is about how many records match, by the index alone; known is false where the server does not tell.
func (l *Loki) volume(ctx context.Context, selector string, w Window) (entries int, known bool) {
	stream := selector
	if i := strings.LastIndexByte(stream, '}'); i >= 0 {
		stream = stream[:i+1]
	}
	if stream != strings.TrimSpace(selector) {
		return 0, false // filters behind the selector: the index does not know what they let pass
	}
	var answer struct {
		Entries json.Number `json:"entries"`
	}
	err := l.client.GetJSON(ctx, "/loki/api/v1/index/stats", url.Values{"query": {stream},
		"start": {strconv.FormatInt(w.From.UnixNano(), 10)}, "end": {strconv.FormatInt(w.To.UnixNano(), 10)}}, &answer)
	if err != nil {
		return 0, false
	}
	n, err := answer.Entries.Int64()
	if err != nil || n < 0 || n > 1<<40 {
		return 0, false
	}
	return int(n), true
}
