package sources

import (
	"context"
	"slices"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
	"github.com/prometheus/common/model"
)

// targetInfo is the metric whose labels are the resource attributes of a process that OpenTelemetry reports of; its other
// series carry job and instance alone
// (https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/#resource-attributes-1).
const targetInfo = "target_info"

// mostTargets is how many processes are looked at.
const mostTargets = 10_000

// promTarget is what tells processes apart. A server that scrapes a collector and does not honor its labels renames the
// processes' own to exported_*.
type promTarget struct{ job, instance, exportedJob, exportedInstance model.LabelValue }

func targetOf(labels model.Metric) promTarget {
	return promTarget{labels["job"], labels["instance"], labels["exported_job"], labels["exported_instance"]}
}

// job is the target without what tells the processes of one job apart.
func (t promTarget) ofJob() promTarget { return promTarget{job: t.job, exportedJob: t.exportedJob} }

// promTargets are the resource attributes by process, and by job as far as all of its processes agree.
type promTargets map[promTarget]model.LabelSet

// newPromTargets keeps of the series of target_info what says which process it is: names of services and deployments, as
// resourceLabels and the service labels list them.
func newPromTargets(series []model.LabelSet, serviceLabels []string) promTargets {
	out := promTargets{}
	for _, s := range series {
		t := targetOf(model.Metric(s))
		if t.job == "" && t.exportedJob == "" {
			continue
		}
		kept := model.LabelSet{}
		for l, v := range s {
			own := l == "job" || l == "instance" || l == "exported_job" || l == "exported_instance"
			if !own && v != "" && (resourceLabels[string(l)] != "" || slices.Contains(serviceLabels, string(l))) {
				kept[l] = v
			}
		}
		for _, key := range []promTarget{t, t.ofJob()} {
			out.agree(key, kept)
		}
	}
	return out
}

// agree adds what is known of a target, or takes away what it contradicts: a process that was rolled out anew under its
// old name has two versions, and neither is that of all of its samples.
func (p promTargets) agree(key promTarget, labels model.LabelSet) {
	known, there := p[key]
	if !there {
		p[key] = labels.Clone()
		return
	}
	for l, v := range known {
		if labels[l] != v {
			delete(known, l)
		}
	}
}

// join adds the attributes of a series' process to the labels that it has already.
func (p promTargets) join(labels model.Metric) model.Metric {
	t := targetOf(labels)
	known, ok := p[t]
	if !ok && t.instance == "" && t.exportedInstance == "" {
		known = p[t.ofJob()]
	}
	if len(known) == 0 {
		return labels
	}
	out := labels.Clone()
	for l, v := range known {
		if out[l] == "" {
			out[l] = v
		}
	}
	return out
}

// targets asks for the resource attributes of the processes in the window.
func (f *promFetch) targets(ctx context.Context, names []string) {
	if !slices.Contains(names, targetInfo) {
		return
	}
	match := f.p.named([]string{targetInfo})
	found, warnings, _, err := f.p.api.Series(ctx, []string{match}, f.q.Window.From, f.q.Window.To, promv1.WithLimit(mostTargets))
	f.warn(warnings)
	if err != nil {
		f.partial("which service and deployment series are of is told by their labels alone, since target_info cannot be read: %v", f.p.said(err))
		return
	}
	if len(found) >= mostTargets {
		f.partial("%d processes of target_info are looked at; narrow sources.metrics.match", mostTargets)
	}
	f.resource = newPromTargets(found, f.p.o.ServiceLabels)
}
