package sources

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/api"
	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// PrometheusOptions say what is fetched. The zero value of each field means its default.
type PrometheusOptions struct {
	// ServiceLabels name the service, the first that a series has.
	ServiceLabels []string
	// Queries are further expressions by the name of their result.
	Queries map[string]string
	// Match are label matchers, without braces, that found series have to satisfy.
	Match string
	// Series is how many series are fetched for one window. Default 3000.
	Series int
	// Points is how many points of one series are aimed at. Default 300; 11,000, Prometheus' own limit, is never passed.
	Points int
	// TraceIDs is how many traces are taken from exemplars. Default 200.
	TraceIDs int
}

const (
	// serverPoints is the most points of a series that Prometheus answers a range query with
	// (web/api/v1, "exceeded maximum resolution of 11,000 points per timeseries").
	serverPoints = 11_000
	// batchSeries is how many series are asked for in one request, so that one answer stays a few megabytes.
	batchSeries = 250
	// batchNames keeps an expression short enough for every proxy.
	batchNames = 60
	// wideMetric is from how many series on a metric is summed by service: labels of single users, paths or queries.
	wideMetric = 1000
	// wideSeries is how many series are taken of such a sum.
	wideSeries = 200
	// metricNames is how many names of metrics are looked at.
	metricNames = 20_000
)

// Prometheus is a server with Prometheus' HTTP API. It goes by client_golang's API, with a [Client] below it, since the
// one that comes with it reads answers of any size and tries nothing twice.
type Prometheus struct {
	client *Client
	api    promv1.API
	o      PrometheusOptions
}

// NewPrometheus asks nothing yet.
func NewPrometheus(c *Client, o PrometheusOptions) *Prometheus {
	o.Series = positive(o.Series, 3000)
	o.Points = min(positive(o.Points, 300), serverPoints)
	o.TraceIDs = positive(o.TraceIDs, 200)
	if len(o.ServiceLabels) == 0 {
		o.ServiceLabels = []string{"service_name", "service", "app_kubernetes_io_name", "app", "job"}
	}
	o.Match = strings.Trim(strings.TrimSpace(o.Match), ",")
	return &Prometheus{client: c, api: promv1.NewAPI(promTransport{c}), o: o}
}

// Name is the server for people.
func (p *Prometheus) Name() string { return p.client.Name() }

// promTransport lets client_golang's API speak through a Client.
type promTransport struct{ c *Client }

var _ api.Client = promTransport{}

// URL is the address of an endpoint; the base is added by the Client.
func (t promTransport) URL(ep string, args map[string]string) *url.URL {
	for name, value := range args {
		ep = strings.ReplaceAll(ep, ":"+name, value)
	}
	return &url.URL{Path: ep}
}

// Do asks. Where the server refuses, the response carries its status and the error what it said.
func (t promTransport) Do(ctx context.Context, req *http.Request) (*http.Response, []byte, error) {
	r := Request{Path: req.URL.Path, Query: req.URL.Query()}
	if req.Body != nil {
		form, err := io.ReadAll(req.Body)
		if err != nil {
			return nil, nil, err
		}
		if r.Form, err = url.ParseQuery(string(form)); err != nil {
			return nil, nil, err
		}
	}
	body, err := t.c.Do(ctx, r)
	var status *StatusError
	switch {
	case errors.As(err, &status):
		return &http.Response{StatusCode: status.Status}, nil, err
	case err != nil:
		return nil, nil, err
	}
	// Decoded as nothing in particular first: the API's own decoder has no word on pages and nesting.
	var any struct {
		Status string `json:"status"`
	}
	if err := t.c.decode(r.Path, body, &any); err != nil {
		return nil, nil, err
	}
	if any.Status != "success" && any.Status != "error" {
		return nil, nil, fmt.Errorf("%s answered %s with what is not Prometheus' API; check the URL", t.c.Name(), r.Path)
	}
	return &http.Response{StatusCode: http.StatusOK}, bytes.TrimSpace(body), nil
}

// said puts the server's name and what to do in front of an error of the API.
func (p *Prometheus) said(err error) error {
	var refused *promv1.Error
	if errors.As(err, &refused) {
		return fmt.Errorf("%s: %s", p.Name(), clip(refused.Msg, excerpt))
	}
	return err
}

// Probe says whether there is any series in the window: of the metrics of the alert's expression, or of scrapes. Labels
// are left out of account: a status that only failures have is absent from a healthy window.
func (p *Prometheus) Probe(ctx context.Context, q Query) (bool, error) {
	match := p.match("")
	if sel := q.selectors(); len(sel) > 0 {
		names := []string{"up"}
		for _, s := range sel {
			if s.Metric != "" {
				names = append(names, s.Metric)
			}
		}
		match = p.named(names)
	}
	found, _, _, err := p.api.Series(ctx, []string{match}, q.Window.From, q.Window.To, promv1.WithLimit(1))
	if err != nil {
		return false, p.said(err)
	}
	return len(found) > 0, nil
}

// match is a selector of a metric by the configured matchers.
func (p *Prometheus) match(name string) string {
	if p.o.Match == "" && name == "" {
		return `{__name__=~".+"}`
	}
	return name + "{" + p.o.Match + "}"
}

// Fetch brings the alert's own expression, the series it is about, the configured queries, and what is found
// of requests, resources, pools and queues, in this order until the limit is reached.
func (p *Prometheus) Fetch(ctx context.Context, q Query, to Sink) (Report, error) {
	begin := p.client.Now()
	f := &promFetch{p: p, q: q, to: to, left: p.o.Series, done: map[string]bool{}, report: Report{Source: p.Name(), Window: q.Name}}
	err := f.run(ctx)
	f.report.Elapsed = p.client.Now().Sub(begin)
	if err != nil && f.report.Points > 0 {
		f.partial("stopped early: %v", err)
		err = nil
	}
	return f.report, err
}

// promFetch is one fetch for one window.
type promFetch struct {
	p        *Prometheus
	q        Query
	to       Sink
	left     int             // series that may still come
	done     map[string]bool // metrics that came
	metadata map[string][]promv1.Metadata
	resource promTargets
	report   Report
	failed   int // requests without an answer
	asked    int
}

func (f *promFetch) partial(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if len(f.report.Partial) < 50 && !slices.Contains(f.report.Partial, text) {
		f.report.Partial = append(f.report.Partial, text)
	}
}

func (f *promFetch) warn(warnings promv1.Warnings) {
	for _, w := range warnings {
		f.partial("%s warns: %s", f.p.Name(), clip(w, excerpt))
	}
}

func (f *promFetch) run(ctx context.Context) error {
	names, err := f.names(ctx)
	if err != nil {
		return err // nothing answers, so nothing else will
	}
	if f.metadata, err = f.p.api.Metadata(ctx, "", ""); err != nil {
		f.partial("the kinds of metrics are guessed from their names: %v", f.p.said(err))
	}
	f.targets(ctx, names)
	for i, expr := range f.q.Exprs {
		name := "alert_expression"
		if i > 0 {
			name += fmt.Sprintf("_%d", i+1)
		}
		left, _, _ := WithoutThreshold(expr)
		n, err := f.expression(ctx, name, left, f.left)
		if err != nil {
			f.partial("the alert's own expression %s: %v", clip(expr, 200), f.p.said(err))
		}
		f.left -= n
	}
	for _, name := range slices.Sorted(maps.Keys(f.p.o.Queries)) {
		n, err := f.expression(ctx, name, f.p.o.Queries[name], f.left)
		if err != nil {
			f.partial("the configured query %s: %v", name, f.p.said(err))
		}
		f.left -= n
	}
	plan, err := f.plan(ctx, names)
	if err != nil {
		return err
	}
	for _, b := range plan {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := f.batch(ctx, b); err != nil {
			f.partial("%s: %v", strings.Join(b.names[:min(3, len(b.names))], ", "), f.p.said(err))
		}
	}
	f.exemplars(ctx)
	if f.report.Points == 0 && f.failed > 0 {
		return fmt.Errorf("%s answered none of the queries: %s", f.p.Name(), strings.Join(f.report.Partial, "; "))
	}
	if f.report.Points == 0 {
		f.partial("%s has no series of this window that match; check sources.metrics.match and how long it keeps data", f.p.Name())
	}
	return nil
}

// names lists the metrics of the window.
func (f *promFetch) names(ctx context.Context) ([]string, error) {
	var match []string
	if f.p.o.Match != "" {
		match = []string{f.p.match("")}
	}
	values, warnings, _, err := f.p.api.LabelValues(ctx, model.MetricNameLabel, match, f.q.Window.From, f.q.Window.To, promv1.WithLimit(metricNames))
	if err != nil {
		return nil, f.p.said(err)
	}
	f.warn(warnings)
	if len(values) >= metricNames {
		f.partial("only the first %d metric names are looked at; narrow sources.metrics.match", metricNames)
		values = values[:metricNames]
	}
	names := make([]string, 0, len(values))
	for _, v := range values {
		if len(v) > 0 && len(v) <= 512 {
			names = append(names, string(v))
		}
	}
	return names, nil
}

// step is the resolution of a range query for series that have a sample every interval.
func (f *promFetch) step(interval time.Duration) time.Duration {
	length := f.q.Window.To.Sub(f.q.Window.From)
	step := interval
	if interval <= 0 {
		step = time.Second // an expression, which has a value at any time
	}
	if coarse := length / time.Duration(f.p.o.Points); coarse > step {
		// A multiple of the interval, so that each step sees a new sample.
		step = time.Duration(math.Ceil(float64(coarse)/float64(step))) * step
	}
	return max(step, length/(serverPoints-1)+1).Round(time.Millisecond)
}

func (f *promFetch) rangeOf(step time.Duration) promv1.Range {
	return promv1.Range{Start: f.q.Window.From, End: f.q.Window.To.Add(-time.Millisecond), Step: step}
}

// expression brings the result of an expression under a name of its own, and says how many series it has.
func (f *promFetch) expression(ctx context.Context, name, expr string, limit int) (int, error) {
	f.asked++
	v, warnings, _, err := f.p.api.QueryRange(ctx, expr, f.rangeOf(f.step(0)))
	f.warn(warnings)
	if err != nil {
		f.failed++
		return 0, err
	}
	m, err := matrix(v)
	if err != nil {
		return 0, err
	}
	if len(m) > limit {
		f.partial("%s has %d series, of which %d are taken; raise sources.metrics.limit, or aggregate more", name, len(m), limit)
		m = m[:limit]
	}
	for _, s := range m {
		s.Metric = s.Metric.Clone()
		s.Metric[model.MetricNameLabel] = model.LabelValue(name)
	}
	return len(m), f.hand(m, func(string) metricShape { return shapeGauge })
}

// matrix is the answer to a range query.
func matrix(v model.Value) (model.Matrix, error) {
	switch v := v.(type) {
	case model.Matrix:
		return v, nil
	case nil:
		return nil, errors.New("the answer to a range query holds no result")
	}
	return nil, fmt.Errorf("the answer to a range query is a %s", v.Type())
}
