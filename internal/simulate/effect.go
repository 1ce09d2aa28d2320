package simulate

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
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
	c := t.of(op)
	c.n++
	if status >= 500 || status == 429 {
		c.failed++
	}
	c.took = append(c.took, took)
}

func (t *tally) of(op *operation) *counted {
	c := t.ops[op]
	if c == nil {
		c = &counted{}
		t.ops[op] = c
	}
	return c
}

// bad counts the requests that break a promise: those that fail, and those that take longer than some time.
func (c *counted) bad(limit float64) int {
	n := c.failed
	for _, d := range c.took {
		if d > limit {
			n++
		}
	}
	return min(n, c.n)
}

// alarm is what an alert is about.
type alarm uint8

const (
	alarmUsers alarm = iota
	alarmConsumer
	alarmLag
	alarmSilence
)

// effect is what could be noticed, and where.
type effect struct {
	text  string
	alarm alarm
	op    *operation
	queue *queue
}

// sure is how many standard errors a share must have moved by before anybody is paged (two-proportion z test), and moved
// is by how much: an objective of 99.5 % burns its budget six times too fast at three in a hundred.
const (
	sure  = 4.0
	moved = 0.03
)

func significant(bad, n, badBefore, before int, least float64) bool {
	if n < 10 || before < 10 {
		return false
	}
	p, q := float64(bad)/float64(n), float64(badBefore)/float64(before)
	all := float64(bad+badBefore) / float64(n+before)
	se := math.Sqrt(all * (1 - all) * (1/float64(n) + 1/float64(before)))
	return p-q >= least && p-q > sure*se
}

// compare finds what an alert would be about: users whose requests fail or take long, users that are not there any more,
// consumers that fail or fall behind. An empty text means that nobody would be paged.
func compare(sys *system, incident, baseline *run) effect {
	seconds := float64(incident.to-incident.tally.from) / float64(time.Second)
	before := float64(baseline.to-baseline.from) / float64(time.Second)
	var now, was counted
	bad, usual, worst := 0, 0, 0.0
	var at *operation
	for _, op := range sys.routes {
		n, w := incident.tally.of(op), baseline.tally.of(op)
		p95 := quantile(w.took, 0.95)
		limit := math.Max(1.8*p95, p95+0.04)
		b, u := n.bad(limit), w.bad(limit)
		now.n, was.n, bad, usual = now.n+n.n, was.n+w.n, bad+b, usual+u
		if by := float64(b) - float64(u)*float64(n.n)/math.Max(1, float64(w.n)); by > worst {
			worst, at = by, op
		}
	}
	if significant(bad, now.n, usual, was.n, moved) {
		n, w := incident.tally.of(at), baseline.tally.of(at)
		return effect{text: fmt.Sprintf("%.1f %% of user requests fail or are slow, before %.1f %%; worst is %s of %s: %.1f %% fail (%.1f %%), p90 %.0f ms (%.0f ms)",
			100*float64(bad)/float64(now.n), 100*float64(usual)/float64(was.n), at.name, at.svc.name, 100*float64(n.failed)/float64(max(1, n.n)),
			100*float64(w.failed)/float64(max(1, w.n)), 1000*quantile(n.took, 0.9), 1000*quantile(w.took, 0.9)), op: at}
	}
	if expected := float64(was.n) / before * seconds; expected > 50 && float64(now.n) < 0.3*expected {
		return effect{text: fmt.Sprintf("%d user requests, where %.0f were to be expected", now.n, expected), alarm: alarmSilence, op: sys.routes[0]}
	}
	for i, q := range sys.queues {
		n, w := incident.tally.of(q.consumer), baseline.tally.of(q.consumer)
		p95 := quantile(w.took, 0.95)
		limit := math.Max(3*p95, p95+0.1)
		if significant(n.bad(limit), n.n, w.bad(limit), w.n, 0.1) {
			return effect{text: fmt.Sprintf("%d of %d messages of %s fail or take long", n.bad(limit), n.n, q.name), alarm: alarmConsumer, op: q.consumer, queue: q}
		}
		if lag, old := incident.queues[i].lag(), baseline.queues[i].lag(); lag > 4*old+15 {
			return effect{text: fmt.Sprintf("%d messages wait in %s, before %d", lag, q.name, old), alarm: alarmLag, queue: q}
		}
		if expected := float64(w.n) / before * seconds; expected > 20 && float64(n.n) > 2*expected {
			return effect{text: fmt.Sprintf("%s handles %d messages of %s, where %.0f were to be expected", q.consumer.svc.name, n.n, q.name, expected), alarm: alarmConsumer, op: q.consumer, queue: q}
		}
	}
	return effect{}
}

// alertBody is the page, as Alertmanager sends it: an objective that is missed or a queue that grows. Some name the route and
// the service at the edge that the objective is about, or the queue; none names a cause.
func (s *scene) alertBody(e effect) []byte {
	r := s.r
	labels := map[string]string{"alertname": pick(r, []string{"SLOErrorBudgetBurn", "ErrorBudgetBurnRateHigh", "AvailabilityObjectiveMissed"}),
		"namespace": pick(r, []string{"prod", "live", s.sys.org}), "severity": pick(r, []string{"critical", "page", "warning"}), "slo": "availability and latency of user requests"}
	summary := "User requests miss their objective"
	description := "The error budget of this objective is being spent faster than its burn-rate threshold allows."
	switch {
	case e.alarm == alarmLag || e.alarm == alarmConsumer:
		labels["alertname"] = pick(r, []string{"ConsumerObjectiveMissed", "QueueProcessingUnhealthy", "MessageBacklogGrowing"})
		labels["slo"] = "timely handling of messages"
		summary, description = "Messages are not handled as they should be", "Messages of a queue fail, pile up or are handled too often."
		if r.chance(0.7) {
			labels["queue"] = e.queue.name
		}
	case e.alarm == alarmSilence:
		labels["alertname"] = pick(r, []string{"RequestRateAnomaly", "TrafficDropped"})
		summary, description = "User requests are missing", "The rate of user requests is far below the usual one."
	case e.op != nil && slices.Contains(s.sys.routes, e.op) && r.chance(0.5):
		labels["service"] = e.op.svc.name
		labels["route"] = e.op.route
		summary = fmt.Sprintf("%s %s misses its objective", e.op.method, e.op.route)
	}
	annotations := map[string]string{"summary": summary, "description": description}
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
