package localize

import (
	"fmt"
	"slices"

	"github.com/remediator/remediator/telemetry"
)

// restartConstants judge counters of rare events.
type restartConstants struct{ once, often float64 }

func (c *restartConstants) list(t *table) {
	t.num(&c.once, "restarts.once", 0.4, "how much one restart, kill or eviction counts", "a roll-out restarts once, too")
	t.num(&c.often, "restarts.often", 3, "restarts that count in full", "")
}

// killed are the words of counters and gauges of rare and grave events, as kube-state-metrics
// (kube_pod_container_status_restarts_total, _last_terminated_reason), cAdvisor
// (container_oom_events_total) and OpenTelemetry (k8s.container.restarts) call them.
var killed = []string{"restart", "restarts", "oom", "oomkilled", "terminated", "evicted", "crashloopbackoff", "crash", "crashes"}

// isEventCount says that a series counts rare and grave events, of which each one tells: rates and medians
// would not show them.
func isEventCount(s *telemetry.Series) bool {
	for _, w := range nameWords(s.Name) {
		if slices.Contains(killed, w) {
			return true
		}
	}
	return false
}

// increase is by how much a counter or gauge of events grew, from a time on; resets count from zero.
func increase(s *telemetry.Series, from int64) (n float64, first int64) {
	for i := 1; i < len(s.Points); i++ {
		p, last := &s.Points[i], &s.Points[i-1]
		d := p.Value - last.Value
		if s.Kind == telemetry.Sum && !p.Cumulative {
			d = p.Value
		} else if d < 0 {
			d = p.Value
		}
		if p.Time < from || d <= 0 {
			continue
		}
		if n == 0 {
			first = p.Time
		}
		n += d
	}
	return n, first
}

// findRestarts weighs restarts, kills for want of memory and evictions that the healthy window did not
// have.
func (a *analysis) findRestarts() {
	type tally struct {
		n, base float64
		at      int64
		name    string
	}
	byService := map[string]*tally{}
	for n, w := range []*window{a.base, a.cur} {
		for i := range w.ds.Metrics {
			s := &w.ds.Metrics[i]
			if !isEventCount(s) {
				continue
			}
			k, at := increase(s, 0)
			service := a.ownerOf(s)
			t := byService[service]
			if t == nil {
				t = &tally{}
				byService[service] = t
			}
			switch {
			case n == 0:
				t.base += k
			case k > 0:
				t.n += k
				if t.at == 0 || at < t.at {
					t.at, t.name = at, s.Name
				}
			}
		}
	}
	for _, s := range sortedServices(byService) {
		t := byService[s]
		expected := t.base * a.cur.seconds() / a.base.seconds()
		if t.n < 1 || t.n <= 2*expected {
			continue
		}
		k := &a.k.restarts
		strength := min(1, k.once+(1-k.once)*(t.n-expected-1)/max(k.often-1, 1))
		if strength <= 0 {
			continue
		}
		healthy := ""
		if len(a.base.ds.Metrics) > 0 {
			healthy = fmt.Sprintf(", %.0f when healthy", t.base)
		}
		a.board.add(s, Reason{Signal: "resource_metric", Text: fmt.Sprintf("%s counts %.0f%s: it was restarted or killed", t.name, t.n, healthy),
			Value: t.n, Baseline: t.base, Weight: a.k.weight.resource * strength})
	}
}

// instanceLabels name one instance of a service or one scrape of it: they change from window to window.
var instanceLabels = []string{"pod", "k8s.pod.name", "k8s.pod.uid", "pod_name", "pod_uid", "uid", "instance", "service.instance.id", "container_id", "container.id", "id", "host", "host.name",
	"hostname", "node", "k8s.node.name", "endpoint", "prometheus", "prometheus_replica", "replica"}

// subjectLabels name what a series is about where an exporter reports it for others.
var subjectLabels = []string{"service", "service_name", "service.name", "k8s.deployment.name", "deployment", "k8s.container.name", "container", "container_name", "app", "app_kubernetes_io_name",
	"job", "consumergroup", "messaging.consumer.group.name", "statefulset", "daemonset", "workload", "pod", "k8s.pod.name"}

// ownerOf is the service that a series is about: the one that sent it, or, where an exporter
// (kube-state-metrics, cAdvisor, a broker's exporter) reports on others, the one that its labels name.
func (a *analysis) ownerOf(s *telemetry.Series) string {
	own := s.Resource.Service
	if a.speakers[own] {
		return own
	}
	for _, l := range subjectLabels {
		v := s.Attrs.Get(l)
		if v == "" {
			v = s.Resource.Attrs.Get(l)
		}
		if v == "" || v == own {
			continue
		}
		if a.speakers[v] {
			return v
		}
		// A pod is called by its deployment, with two random parts behind.
		for cut := len(v); cut > 0; {
			for cut--; cut > 0 && v[cut] != '-'; cut-- {
			}
			if cut > 0 && a.speakers[v[:cut]] {
				return v[:cut]
			}
		}
	}
	return own
}

// findSpeakers lists the services that send spans or logs.
func (a *analysis) findSpeakers() {
	a.speakers = map[string]bool{}
	for _, ds := range []*telemetry.Dataset{&a.ev.Baseline, &a.ev.Incident} {
		last := (*telemetry.Resource)(nil)
		see := func(r *telemetry.Resource) {
			if r != last {
				last = r
				a.speakers[r.Service] = true
			}
		}
		for _, r := range resourcesOf(ds) {
			see(r)
		}
		for i := range ds.Logs {
			see(ds.Logs[i].Resource)
		}
	}
}
