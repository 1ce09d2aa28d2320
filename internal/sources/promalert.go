package sources

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	promv1 "github.com/prometheus/client_golang/api/prometheus/v1"
)

// Expression is the expression of the alert by its name, from the server's rules; "" where there is none.
func (p *Prometheus) Expression(ctx context.Context, alert string) (string, error) {
	found, err := p.api.Rules(ctx, nil)
	if err != nil {
		return "", p.said(err)
	}
	for _, g := range found.Groups {
		for _, r := range g.Rules {
			if a, ok := r.(promv1.AlertingRule); ok && a.Name == alert && len(a.Query) <= maxExpression {
				return a.Query, nil
			}
		}
	}
	return "", nil
}

// Alerts are the stretches in which alerts fired, of the window. Alerts that fire most of the time, as a watchdog
// does, tell nothing and are left out.
func (p *Prometheus) Alerts(ctx context.Context, w Window, own string, services []string) ([]Disturbance, error) {
	step := max(time.Minute, (w.To.Sub(w.From)/(serverPoints-1)).Truncate(time.Second)+time.Second)
	labels := append([]string{"alertname"}, p.o.ServiceLabels...)
	v, _, _, err := p.api.QueryRange(ctx, `count by (`+strings.Join(labels, ",")+`) (ALERTS{alertstate="firing"})`, promv1.Range{Start: w.From, End: w.To, Step: step})
	if err != nil {
		return nil, p.said(err)
	}
	m, err := matrix(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w; check that the URL is that of a Prometheus server", p.Name(), err)
	}
	var out []Disturbance
	for _, s := range m {
		name, service := clip(string(s.Metric["alertname"]), 100), p.service("", s.Metric)
		if time.Duration(len(s.Values))*step > w.To.Sub(w.From)/2 && name != own {
			continue
		}
		d := Disturbance{What: "alert " + name, Own: name == own, Minor: name != own && service != "" && len(services) > 0 && !slices.Contains(services, service)}
		for i, v := range s.Values {
			at := v.Timestamp.Time()
			if i > 0 && at.Sub(d.To) <= 2*step {
				d.To = at.Add(step)
				continue
			}
			if i > 0 {
				out = append(out, d)
			}
			d.From, d.To = at.Add(-step), at.Add(step)
		}
		if len(s.Values) > 0 {
			out = append(out, d)
		}
	}
	return out, nil
}
