package sources

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/url"
	"slices"

	"github.com/remediator/remediator/telemetry/nesting"
)

// maxExpressions is how many different expressions of one notification are asked for: a group rarely has more, and each
// costs a query over both windows.
const maxExpressions = 8

// AlertExpressions finds the expressions of a notification's alerts, each once and in their order: in the link to
// Prometheus' own page, which carries it, or in an annotation or label named expr. Those of alerts that are over
// count only where none fires any more.
func AlertExpressions(body []byte) []string {
	if nesting.JSON(body) != nil {
		return nil
	}
	var notification struct {
		Alerts []struct {
			Status       string            `json:"status"`
			GeneratorURL string            `json:"generatorURL"`
			Labels       map[string]string `json:"labels"`
			Annotations  map[string]string `json:"annotations"`
		} `json:"alerts"`
	}
	// A value of another kind, such as a label that is no text, is left out and costs nothing else.
	var kind *json.UnmarshalTypeError
	if err := json.Unmarshal(body, &notification); err != nil && !errors.As(err, &kind) {
		return nil
	}
	var firing, over []string
	for _, a := range notification.Alerts {
		expr := cmp.Or(linked(a.GeneratorURL), written(a.Annotations, a.Labels))
		into := &firing
		if a.Status == "resolved" {
			into = &over
		}
		if expr != "" && len(*into) < maxExpressions && !slices.Contains(*into, expr) {
			*into = append(*into, expr)
		}
	}
	if len(firing) == 0 {
		return over
	}
	return firing
}

// linked is the expression that a link to Prometheus' page carries.
func linked(link string) string {
	u, err := url.Parse(link)
	if err != nil {
		return ""
	}
	return usable(u.Query().Get("g0.expr"))
}

// written is the expression that somebody wrote into an annotation or a label.
func written(from ...map[string]string) string {
	for _, texts := range from {
		for _, name := range []string{"expr", "expression", "query", "promql"} {
			if expr := usable(texts[name]); expr != "" {
				return expr
			}
		}
	}
	return ""
}

func usable(expr string) string {
	if len(expr) > maxExpression {
		return ""
	}
	return expr
}
