package localize

import "slices"

// gaps lists the telemetry that was missing and would have helped, and how to supply it.
func (a *analysis) gaps(res *Result) []Gap {
	var out []Gap
	add := func(code, text string) { out = append(out, Gap{code, text}) }
	has := func(name string) bool { return slices.Contains(a.ev.Missing, name) }
	out = append(out, a.sayCuts()...)
	for _, d := range a.doubted {
		add(d.code, d.text+"; "+d.help)
	}
	if len(a.ev.Incident.Spans) == 0 {
		add("no_traces", "there are no traces of the incident: instrument the services with an OpenTelemetry SDK and export OTLP")
	}
	if a.base.empty() {
		add("no_baseline", "there is no healthy window: record one from the same weekday and hour, without deployments or alerts in it")
	} else if len(a.ev.Baseline.Spans) == 0 && len(a.ev.Incident.Spans) > 0 {
		add("no_baseline_traces", "the healthy window has no traces: latencies and errors of operations cannot be compared")
	}
	if n := len(a.ev.Baseline.Spans); n > 0 && float64(len(a.base.traces)) < a.k.window.enough {
		add("few_baseline_traces", "the healthy window has fewer than 20 traces: its latency tail is a guess; sample more or widen the window")
	}
	if len(a.ev.Incident.Logs) == 0 {
		add("no_logs", "there are no logs of the incident: export them with trace ids, so that messages can be tied to spans")
	} else {
		tied := 0
		for _, l := range a.cur.links {
			if l.Tie.Known() {
				tied++
			}
		}
		if tied*2 < len(a.cur.links) && len(a.ev.Incident.Spans) > 0 {
			add("logs_without_traces", "most log records belong to no trace of the window: put trace and span ids into them and keep their traces")
		}
	}
	if len(a.ev.Incident.Metrics) == 0 {
		add("no_metrics", "there are no metrics of the incident: CPU, memory and pool saturation cannot be seen")
	}
	if len(a.ev.Changes) == 0 || has("context/changes") {
		add("no_changes", "no changes are known: give the commits before the alert with their hunks")
	}
	if len(a.ev.Deploys) == 0 && len(res.Changes) == 0 {
		add("no_deploys", "no deployments are known: when a commit went live has to be guessed from its date")
	}
	broken := 0
	for i := range a.cur.traces {
		if a.cur.traces[i].Broken {
			broken++
		}
	}
	if n := len(a.cur.traces); n > 0 && broken*5 > n {
		add("broken_traces", "more than a fifth of the traces lack spans: look for exporters that drop spans and services that do not pass the context on")
	}
	return out
}
