package sources

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/localize"
)

// installed is the path of a program, or of what a script of this directory builds.
func installed(t *testing.T, name, script string) string {
	t.Helper()
	if script == "" {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Skipf("%s is missing: install Debian's package", name)
		}
		return path
	}
	out, err := exec.Command(script).Output()
	if err != nil {
		t.Fatalf("%s: %v", script, err)
	}
	return strings.TrimSpace(string(out))
}

// freePort is a TCP port that nobody listens on right now.
func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// server starts a program and waits until a URL of it answers.
func server(t *testing.T, ready, program string, args ...string) {
	t.Helper()
	var log bytes.Buffer
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-done
		if t.Failed() {
			text := log.String()
			t.Logf("%s said:\n%s", filepath.Base(program), text[max(0, len(text)-4000):])
		}
	})
	until(t, 90*time.Second, program+" is ready", func() bool {
		resp, err := http.Get(ready)
		if err != nil {
			return false
		}
		defer resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// until polls for a condition.
func until(t *testing.T, limit time.Duration, what string, ok func() bool) {
	t.Helper()
	deadline, tick := time.After(limit), time.NewTicker(200*time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			t.Fatalf("waited %v in vain: %s", limit, what)
		case <-tick.C:
		}
	}
}

// madeService is a service that counts requests as OpenTelemetry's instrumentation does, and logs.
type madeService struct {
	name     string
	duration *prometheus.HistogramVec
	pool     prometheus.Gauge
	server   *httptest.Server
}

func newMadeService(t *testing.T, name string) *madeService {
	s := &madeService{name: name,
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "http_server_request_duration_seconds", Help: "Duration of requests.",
			Buckets: []float64{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5}}, []string{"http_route", "http_response_status_code"}),
		pool: prometheus.NewGauge(prometheus.GaugeOpts{Name: "db_client_connections_usage", Help: "Connections in use."}),
	}
	r := prometheus.NewRegistry()
	r.MustRegister(s.duration, s.pool)
	s.server = httptest.NewServer(promhttp.HandlerFor(r, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	t.Cleanup(s.server.Close)
	return s
}

// request is one request; its trace becomes an exemplar where it failed.
func (s *madeService) request(status string, seconds float64, trace string) {
	o := s.duration.WithLabelValues("/work/{id}", status)
	if status == "500" {
		o.(prometheus.ExemplarObserver).ObserveWithExemplar(seconds, prometheus.Labels{"trace_id": trace})
		return
	}
	o.Observe(seconds)
}

// TestLiveFetchOfAnAlert lets an alert fire for real and fetches what Prometheus and Loki have around it.
func TestLiveFetchOfAnAlert(t *testing.T) {
	live(t)
	dir := t.TempDir()
	loki := liveLoki(t, dir)
	services := []*madeService{newMadeService(t, "front"), newMadeService(t, "stock"), newMadeService(t, "ledger")}
	alerts := make(chan []byte, 100)
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		select {
		case alerts <- body:
		default:
		}
	}))
	defer hook.Close()
	prom := livePrometheus(t, dir, services, hook.URL)

	// Traffic: the ledger's pool runs out after a while, and it fails.
	var failing atomic.Bool
	stop, stopped := make(chan struct{}), make(chan struct{})
	push := &lokiPusher{url: loki}
	go func() {
		defer close(stopped)
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			case <-tick.C:
			}
			trace := fmt.Sprintf("%032x", n+1)
			for _, s := range services {
				bad := failing.Load() && s.name == "ledger" && n%3 != 0
				switch {
				case bad:
					s.request("500", 0.9+rand.Float64()/5, trace)
					push.add(s.name, fmt.Sprintf(`level=error msg="no connection left in the pool" request=%d trace_id=%s`, n, trace))
				default:
					s.request("200", 0.01+rand.Float64()/50, trace)
					push.add(s.name, fmt.Sprintf(`{"level":"info","msg":"request served","trace_id":%q}`, trace))
				}
				s.pool.Set(5 + 3*rand.Float64())
				if failing.Load() && s.name == "ledger" {
					s.pool.Set(50)
				}
			}
			if n%10 == 0 {
				if err := push.flush(); err != nil {
					t.Error(err)
					return
				}
			}
		}
	}()
	healthy := time.Now().Add(60 * time.Second)
	until(t, 2*time.Minute, "the healthy time is over", func() bool { return time.Now().After(healthy) })
	failing.Store(true)
	var body []byte
	select {
	case body = <-alerts:
	case <-time.After(2 * time.Minute):
		t.Fatal("no alert was sent")
	}
	after := time.Now().Add(10 * time.Second)
	until(t, time.Minute, "the incident goes on", func() bool { return time.Now().After(after) })
	close(stop)
	<-stopped
	if err := push.flush(); err != nil {
		t.Fatal(err)
	}

	in, err := incident.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	if got := AlertExpressions(body); !slices.Equal(got, []string{madeExpression}) {
		t.Errorf("the notification's expressions are %q", got)
	}
	rec := &recorder{next: http.DefaultTransport}
	now := time.Now().UTC().Truncate(time.Millisecond)
	plan := madePlan(t, rec, prom, loki, in, now)
	at := filepath.Join(dir, "bundle")
	w, err := bundle.Create(at)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Gather(context.Background(), plan, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Alert(body), w.Fetched(sum), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	checkMade(t, at, sum)
	scrub := func(s string) string {
		return madePort.ReplaceAllString(strings.ReplaceAll(s, dir, "/dir"), "127.0.0.1:9")
	}
	rec.save(t, "alert.jsonl.gz", scrub)
	if os.Getenv("REMEDIATOR_RECORD") != "" {
		text, _ := json.Marshal(made{Alert: scrub(string(body)), Now: now})
		if err := os.WriteFile("testdata/alert.json", append(text, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// madePort is what differs between runs in addresses.
var madePort = regexp.MustCompile(`127\.0\.0\.1:[0-9]+`)

const madeExpression = `sum by (service) (rate(http_server_request_duration_seconds_count{http_response_status_code="500"}[10s])) / sum by (service) (rate(http_server_request_duration_seconds_count[10s])) > 0.05`

// made is the alert of a recorded run.
type made struct {
	Alert string    `json:"alert"`
	Now   time.Time `json:"now"`
}

func madePlan(t *testing.T, over http.RoundTripper, prom, loki string, in incident.Incident, now time.Time) Plan {
	t.Helper()
	client := func(kind, url string) *Client {
		c, err := NewClient(ClientOptions{Kind: kind, URL: url, Transport: over, Now: func() time.Time { return now }})
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	return Plan{
		Incident: in, Now: func() time.Time { return now }, AtOnce: 1, Services: []string{in.Service},
		Metrics:  NewPrometheus(client("prometheus", prom), PrometheusOptions{}),
		Logs:     NewLoki(client("loki", loki), LokiOptions{Page: 5000}),
		Settings: WindowSettings{Lead: 20 * time.Second, Length: 40 * time.Second, Lookback: 8 * 24 * time.Hour},
		Progress: func(line string) { t.Log(line) },
	}
}

// checkMade looks at the bundle as a user would, and lets the ranking look at it.
func checkMade(t *testing.T, dir string, sum Summary) {
	t.Helper()
	if !slices.Equal(sum.Expressions, []string{madeExpression}) {
		t.Errorf("the rules' expressions are %q", sum.Expressions)
	}
	if sum.Baseline == nil || !strings.Contains(sum.Choice, "right before the incident") || !strings.Contains(sum.Choice, "a week before") {
		t.Errorf("the healthy window is %v: %s", sum.Baseline, sum.Choice)
	}
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]int{}
	for _, s := range b.Evidence.Incident.Metrics {
		names[s.Name+" of "+s.Resource.Service] += len(s.Points)
	}
	for _, want := range []string{"http_server_request_duration_seconds of ledger", "http_server_request_duration_seconds of front", "db_client_connections_usage of ledger", "up of stock", "alert_expression of ledger"} {
		if names[want] < 2 {
			t.Errorf("%d points of %s", names[want], want)
		}
	}
	failed, tied := 0, 0
	for _, l := range b.Evidence.Incident.Logs {
		if l.Severity >= 17 {
			if failed++; l.Body != "no connection left in the pool" || l.Resource.Service != "ledger" {
				t.Fatalf("a record is %+v of %q", l, l.Resource.Service)
			}
		}
		if !(l.Trace == [16]byte{}) {
			tied++
		}
	}
	if failed < 20 || tied != len(b.Evidence.Incident.Logs) {
		t.Errorf("%d of %d records are errors, %d belong to a trace", failed, len(b.Evidence.Incident.Logs), tied)
	}
	exemplars := 0
	for _, r := range sum.Reports {
		if r.Window == "incident" && strings.HasPrefix(r.Source, "prometheus") {
			exemplars = len(r.TraceIDs)
		}
	}
	if exemplars == 0 {
		t.Error("no exemplar led to a trace")
	}
	res := localize.Rank(mustIncident(t, b.Alert), b.Evidence, localize.Options{})
	if len(res.Suspects) == 0 || res.Suspects[0].Service != "ledger" {
		t.Errorf("the ranking says %+v", res.Suspects)
	}
}

func mustIncident(t *testing.T, body []byte) incident.Incident {
	t.Helper()
	in, err := incident.Parse(body)
	if err != nil {
		t.Fatal(err)
	}
	return in
}

// livePrometheus starts Prometheus and Alertmanager over the services and returns Prometheus' URL.
func livePrometheus(t *testing.T, dir string, services []*madeService, hook string) string {
	t.Helper()
	prom, manager := installed(t, "prometheus", ""), installed(t, "prometheus-alertmanager", "")
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	managerPort, port := freePort(t), freePort(t)
	server(t, fmt.Sprintf("http://127.0.0.1:%d/-/ready", managerPort), manager, "--config.file", write("am.yml", fmt.Sprintf(`
route: {receiver: hook, group_by: [alertname, service], group_wait: 1s, group_interval: 1s}
receivers: [{name: hook, webhook_configs: [{url: %q}]}]
`, hook)), "--storage.path", filepath.Join(dir, "am"), "--web.listen-address", fmt.Sprintf("127.0.0.1:%d", managerPort), "--cluster.listen-address=")
	var targets strings.Builder
	for _, s := range services {
		fmt.Fprintf(&targets, "  - {targets: [%q], labels: {service: %s, pod: %s-7d4b9c6f5-x2x9z}}\n", strings.TrimPrefix(s.server.URL, "http://"), s.name, s.name)
	}
	rules := write("rules.yml", fmt.Sprintf("groups: [{name: slo, interval: 1s, rules: [{alert: TooManyErrors, expr: %q, for: 3s, labels: {severity: critical}}]}]\n", madeExpression))
	server(t, fmt.Sprintf("http://127.0.0.1:%d/-/ready", port), prom, "--config.file", write("prom.yml", fmt.Sprintf(`
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%q]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:%d"]}]}]}
scrape_configs:
- job_name: services
  static_configs:
%s`, rules, managerPort, targets.String())), "--storage.tsdb.path", filepath.Join(dir, "prom"), "--web.listen-address", fmt.Sprintf("127.0.0.1:%d", port),
		"--rules.alert.resend-delay=1s", "--enable-feature=exemplar-storage")
	return fmt.Sprintf("http://127.0.0.1:%d", port)
}

// liveLoki starts Loki, with a page smaller than its default so that there are pages.
func liveLoki(t *testing.T, dir string) string {
	t.Helper()
	program := installed(t, "loki", "./install-loki")
	port, grpc := freePort(t), freePort(t)
	conf := filepath.Join(dir, "loki.yml")
	if err := os.WriteFile(conf, []byte(fmt.Sprintf(`
auth_enabled: false
analytics: {reporting_enabled: false}
server: {http_listen_address: 127.0.0.1, http_listen_port: %d, grpc_listen_address: 127.0.0.1, grpc_listen_port: %d, log_level: warn}
common:
  instance_addr: 127.0.0.1
  path_prefix: %s/loki
  storage: {filesystem: {chunks_directory: %s/loki/chunks, rules_directory: %s/loki/rules}}
  replication_factor: 1
  ring: {kvstore: {store: inmemory}}
schema_config:
  configs: [{from: 2024-01-01, store: tsdb, object_store: filesystem, schema: v13, index: {prefix: index_, period: 24h}}]
limits_config: {max_entries_limit_per_query: 500, max_query_length: 12h, discover_service_name: []}
`, port, grpc, dir, dir, dir)), 0o600); err != nil {
		t.Fatal(err)
	}
	url := fmt.Sprintf("http://127.0.0.1:%d", port)
	server(t, url+"/ready", program, "-config.file", conf)
	return url
}

// lokiPusher sends lines to Loki as an agent does.
type lokiPusher struct {
	url   string
	mu    sync.Mutex
	lines map[string][][2]string
	last  int64
}

func (p *lokiPusher) add(service, line string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.lines == nil {
		p.lines = map[string][][2]string{}
	}
	p.last = max(p.last+1, time.Now().UnixNano())
	p.lines[service] = append(p.lines[service], [2]string{fmt.Sprint(p.last), line})
}

func (p *lokiPusher) flush() error {
	p.mu.Lock()
	lines := p.lines
	p.lines = nil
	p.mu.Unlock()
	type stream struct {
		Stream map[string]string `json:"stream"`
		Values [][2]string       `json:"values"`
	}
	var body struct {
		Streams []stream `json:"streams"`
	}
	for service, values := range lines {
		body.Streams = append(body.Streams, stream{map[string]string{"service_name": service, "namespace": "made"}, values})
	}
	if len(body.Streams) == 0 {
		return nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	resp, err := http.Post(p.url+"/loki/api/v1/push", "application/json", bytes.NewReader(text))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 {
		said, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("loki answered a push with %d: %s", resp.StatusCode, said)
	}
	return nil
}

// TestFetchOfARecordedAlert replays what the servers answered in a run of TestLiveFetchOfAnAlert.
func TestFetchOfARecordedAlert(t *testing.T) {
	text, err := os.ReadFile("testdata/alert.json")
	if err != nil {
		t.Fatal(err)
	}
	var m made
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	plan := madePlan(t, replayed(t, "alert.jsonl.gz"), "http://127.0.0.1:9", "http://127.0.0.1:9", mustIncident(t, []byte(m.Alert)), m.Now)
	dir := filepath.Join(t.TempDir(), "bundle")
	w, err := bundle.Create(dir)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := Gather(context.Background(), plan, w)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{w.Alert([]byte(m.Alert)), w.Fetched(sum), w.Close()} {
		if err != nil {
			t.Fatal(err)
		}
	}
	checkMade(t, dir, sum)
}
