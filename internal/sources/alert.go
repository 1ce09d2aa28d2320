package sources

import (
	"encoding/json"
	"net/url"

	"github.com/remediator/remediator/telemetry/nesting"
)

// AlertExpression finds the expression of an alert in its notification: in the link to Prometheus' own page, which
// carries it, or in an annotation or label named expr. It is "" where there is none.
func AlertExpression(body []byte) string {
	if nesting.JSON(body) != nil {
		return ""
	}
	var alert struct {
		Alerts []struct {
			GeneratorURL string `json:"generatorURL"`
		} `json:"alerts"`
	}
	var said struct {
		Alerts []struct {
			Labels      map[string]string `json:"labels"`
			Annotations map[string]string `json:"annotations"`
		} `json:"alerts"`
	}
	// Two passes, so that a label that is no text costs the labels alone.
	if json.Unmarshal(body, &alert) == nil {
		for _, a := range alert.Alerts {
			if u, err := url.Parse(a.GeneratorURL); err == nil {
				if expr := u.Query().Get("g0.expr"); expr != "" && len(expr) <= maxExpression {
					return expr
				}
			}
		}
	}
	if json.Unmarshal(body, &said) == nil {
		for _, a := range said.Alerts {
			for _, from := range []map[string]string{a.Annotations, a.Labels} {
				for _, name := range []string{"expr", "expression", "query", "promql"} {
					if expr := from[name]; expr != "" && len(expr) <= maxExpression {
						return expr
					}
				}
			}
		}
	}
	return ""
}
