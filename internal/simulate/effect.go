package simulate

import (
	"encoding/json"
	"fmt"
	"time"
)

// tally counts what happened to requests from a time on, kept or not: what an operator's dashboards would show.
type tally struct {
	from int64
	ops  map[*operation]*counted
}

type counted struct {
	n, failed int
	took      []float64
}

func newTally(from int64) *tally { return &tally{from: from, ops: map[*operation]*counted{}} }

func (t *tally) note(op *operation, begun int64, status int, took float64) {
	if t == nil || begun < t.from {
		return
	}
	c := t.ops[op]
	if c == nil {
		c = &counted{}
		t.ops[op] = c
	}
	c.n++
	if status >= 500 || status == 429 {
		c.failed++
	}
	c.took = append(c.took, took)
}

// effect is what could be noticed, and where.
type effect struct {
	text string
	op   *operation
	size float64
}

// compare finds the worst that can be noticed: at an operation of users, of a consumer, or of any other service; a queue that
// grows; requests that do not come any more.
func compare(sys *system, incident, baseline *run) effect {
	var worst effect
	better := func(e effect) {
		if e.size > worst.size {
			worst = e
		}
	}
	seconds := float64(incident.to-incident.tally.from) / float64(time.Second)
	before := float64(baseline.to-baseline.from) / float64(time.Second)
	for _, svc := range sys.services {
		for _, op := range svc.ops {
			now, was := incident.tally.ops[op], baseline.tally.ops[op]
			if was == nil || was.n < 10 {
				continue
			}
			if now == nil {
				now = &counted{}
			}
			weight := 1.0
			if svc.role != gateway {
				weight = 0.3
			}
			if expected := float64(was.n) / before * seconds; expected > 30 && float64(now.n) < 0.25*expected {
				better(effect{fmt.Sprintf("%s of %s is asked %d times, where %.0f were to be expected", op.name, svc.name, now.n, expected), op, weight})
			}
			if now.n < 10 {
				continue
			}
			bad, usual := float64(now.failed)/float64(now.n), float64(was.failed)/float64(was.n)
			if bad > usual+0.02 && bad > 1.5*usual {
				better(effect{fmt.Sprintf("%.1f %% of %s of %s fail, before %.1f %%", 100*bad, op.name, svc.name, 100*usual), op, weight * (2 + 10*(bad-usual))})
			}
			slow, quick := quantile(now.took, 0.9), quantile(was.took, 0.9)
			if slow > 1.6*quick && slow > quick+0.015 {
				better(effect{fmt.Sprintf("a tenth of %s of %s takes more than %.0f ms, before %.0f ms", op.name, svc.name, 1000*slow, 1000*quick), op, weight * min(6, slow/quick)})
			}
		}
	}
	for i, q := range incident.queues {
		if lag, usual := q.lag(), baseline.queues[i].lag(); lag > 4*usual+15 {
			better(effect{fmt.Sprintf("%d messages wait in %s", lag, q.queue.name), nil, 0.5})
		}
	}
	return worst
}

// alertBody is the page: an objective that is missed, as Alertmanager sends it. Some name the route or the service at the edge
// that the objective is about; none names a cause.
func (s *scene) alertBody(worst effect) []byte {
	r := s.r
	labels := map[string]string{"alertname": pick(r, []string{"SLOErrorBudgetBurn", "ErrorBudgetBurnRateHigh", "AvailabilityObjectiveMissed"}), "namespace": pick(r, []string{"prod", "live", s.sys.org}), "severity": pick(r, []string{"critical", "page", "warning"}), "slo": "availability and latency of user requests"}
	summary := "User requests miss their objective"
	if worst.op != nil && worst.op.svc.role == gateway && r.chance(0.5) {
		labels["service"] = worst.op.svc.name
		labels["route"] = worst.op.route
		summary = fmt.Sprintf("%s %s misses its objective", worst.op.method, worst.op.route)
	}
	annotations := map[string]string{"summary": summary, "description": "The error budget of this objective is being spent faster than its burn-rate threshold allows."}
	group := map[string]string{"alertname": labels["alertname"], "namespace": labels["namespace"]}
	body := map[string]any{
		"version": "4", "status": "firing", "receiver": "remediator", "truncatedAlerts": 0, "groupKey": "{}:{alertname=\"" + labels["alertname"] + "\"}",
		"groupLabels": group, "commonLabels": labels, "commonAnnotations": annotations, "externalURL": "http://alertmanager.example.com",
		"alerts": []map[string]any{{"status": "firing", "labels": labels, "annotations": annotations, "startsAt": s.alert.Format(time.RFC3339), "endsAt": "0001-01-01T00:00:00Z",
			"generatorURL": "http://prometheus.example.com/graph", "fingerprint": r.hex(16)}},
	}
	out, err := json.MarshalIndent(body, "", "  ")
	if err != nil {
		panic(err) // plain maps of text
	}
	return out
}
