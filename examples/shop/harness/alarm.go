package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"text/template"
	"time"
)

// objective is a promise to customers and the alert for when it is broken.
type objective struct {
	Alert    string
	SLO      string
	Route    string
	Severity string
	// Ratio is the share of failing requests, or Latency the 95th percentile in seconds, above which
	// the alert fires. One of them is zero. A latency is raised to twice that of the baseline.
	Ratio, Latency float64
	Summary        string
}

// Expr is the objective as Prometheus evaluates it.
func (o objective) Expr() string {
	if o.Latency > 0 {
		return fmt.Sprintf(`histogram_quantile(0.95, sum by (le) (rate(shop_request_duration_seconds_bucket{route=%q}[10s]))) > %g`, o.Route, o.Latency)
	}
	return fmt.Sprintf(`sum(rate(shop_requests_total{route=%[1]q,code=~"5.."}[10s])) / sum(rate(shop_requests_total{route=%[1]q}[10s])) > %[2]g`, o.Route, o.Ratio)
}

// Measure and Unit are what the alert's description says.
func (o objective) Measure() string {
	if o.Latency > 0 {
		return "The 95th percentile of the latency"
	}
	return "The share of failing requests"
}

// Unit is the template function that writes the measure.
func (o objective) Unit() string {
	if o.Latency > 0 {
		return "humanizeDuration"
	}
	return "humanizePercentage"
}

var rules = template.Must(template.New("rules").Parse(`groups:
  - name: objectives
    rules:
      - alert: {{.Alert}}
        expr: '{{.Expr}}'
        for: 3s
        labels:
          severity: {{.Severity}}
          slo: {{.SLO}}
          service: gateway
          operation: '{{.Route}}'
        annotations:
          summary: '{{.Summary}}'
          description: '{{.Measure}} of {{.Route}} is {{"{{ $value | "}}{{.Unit}}{{" }}"}} over the last ten seconds.'
`))

const prometheusConfig = `global:
  scrape_interval: 1s
  evaluation_interval: 1s
rule_files: [rules.yml]
alerting:
  alertmanagers:
    - static_configs:
        - targets: ["%s"]
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ["%s"]
`

const alertmanagerConfig = `route:
  receiver: remediator
  group_by: [alertname, slo]
  group_wait: 1s
  group_interval: 5s
  repeat_interval: 1h
receivers:
  - name: remediator
    webhook_configs:
      - url: http://%s/alert
        send_resolved: false
`

// programs finds Prometheus and Alertmanager.
func programs() (prometheus, alertmanager string, err error) {
	if prometheus, err = exec.LookPath("prometheus"); err != nil {
		return "", "", errors.New("prometheus is not installed; on Debian: apt-get install prometheus")
	}
	for _, name := range []string{"prometheus-alertmanager", "alertmanager"} {
		if alertmanager, err = exec.LookPath(name); err == nil {
			return prometheus, alertmanager, nil
		}
	}
	return "", "", errors.New("alertmanager is not installed; on Debian: apt-get install prometheus-alertmanager")
}

// alarm is a Prometheus that evaluates one objective and an Alertmanager that sends the alert.
type alarm struct {
	// raised receives the body of the first notification, as it arrived.
	raised chan []byte
	stop   func()
}

// startAlarm runs both in dir. The scoreboard is served to Prometheus at metrics (host:port).
func startAlarm(ctx context.Context, dir, metrics string, o objective) (*alarm, error) {
	prometheus, alertmanager, err := programs()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	a := &alarm{raised: make(chan []byte, 1)}
	hook, err := serve(ctx, http.HandlerFunc(a.notified))
	if err != nil {
		cancel()
		return nil, err
	}
	var addrs [2]string
	for i := range addrs {
		if addrs[i], err = freeAddress(); err != nil {
			cancel()
			return nil, err
		}
	}

	var ruleText bytes.Buffer
	if err := rules.Execute(&ruleText, o); err != nil {
		cancel()
		return nil, fmt.Errorf("rules: %w", err)
	}
	for name, text := range map[string]string{
		"rules.yml":        ruleText.String(),
		"prometheus.yml":   fmt.Sprintf(prometheusConfig, addrs[1], metrics),
		"alertmanager.yml": fmt.Sprintf(alertmanagerConfig, hook),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			cancel()
			return nil, err
		}
	}

	var running sync.WaitGroup
	a.stop = func() { cancel(); running.Wait() }
	start := func(ready string, name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
		cmd.WaitDelay = 5 * time.Second
		output := &tailWriter{}
		cmd.Stdout, cmd.Stderr = output, output
		if err := cmd.Start(); err != nil {
			return fmt.Errorf("start %s: %w", name, err)
		}
		running.Go(func() { _ = cmd.Wait() }) // ends with the signal
		if err := awaitReady(ctx, ready); err != nil {
			return fmt.Errorf("%s: %w\n%s", name, err, output)
		}
		return nil
	}
	if err := start("http://"+addrs[1]+"/-/ready", alertmanager,
		"--config.file=alertmanager.yml", "--storage.path=alertmanager", "--cluster.listen-address=",
		"--web.listen-address="+addrs[1], "--web.external-url=http://alertmanager.shop.example:9093"); err != nil {
		a.stop()
		return nil, err
	}
	if err := start("http://"+addrs[0]+"/-/ready", prometheus,
		"--config.file=prometheus.yml", "--storage.tsdb.path=prometheus", "--rules.alert.resend-delay=1s",
		"--web.listen-address="+addrs[0], "--web.external-url=http://prometheus.shop.example:9090"); err != nil {
		a.stop()
		return nil, err
	}
	return a, nil
}

func awaitReady(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
		if err != nil {
			return err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("is not ready: %w", ctx.Err())
		case <-tick.C:
		}
	}
}

func (a *alarm) notified(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 1<<20))
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	select {
	case a.raised <- body:
	default: // a repetition
	}
}
