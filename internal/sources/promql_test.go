package sources

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestSelectorsOfExpressions(t *testing.T) {
	for expr, want := range map[string]string{
		`up`:                   `up`,
		`up == 0`:              `up`,
		`rate(http_total[5m])`: `http_total`,
		`sum by (service) (rate(http_total{code=~"5..",job="a"}[5m])) / sum(rate(http_total{job="a"}[5m])) > 0.05`: `http_total{code=~"5..",job="a"} http_total{job="a"}`,
		`sum(rate(a[5m])) by (x, y) > bool 1`:                                          `a`,
		`histogram_quantile(0.99, sum without(instance)(rate(h_bucket[10m]))) > 1.5e0`: `h_bucket`,
		`a * on (job, instance) group_left(version) b{x!="y"} offset 5m`:               `a b{x!="y"}`,
		`{__name__=~"a|b",job="j"}`:                                                    `{__name__=~"a|b",job="j"}`,
		`{__name__="c", d='e\'f'}`:                                                     `c{d="e'f"}`,
		`{"http.server.duration", route="/x"}`:                                         `http.server.duration{route="/x"}`,
		`max_over_time(deriv(rate(distance[5s])[30s:5s])[10m:])`:                       `distance`,
		`absent(up{job="x"} @ end())`:                                                  `up{job="x"}`,
		`vector(1)`:                                                                    ``,
		`1 + NaN > Inf`:                                                                ``,
		"sum(x) # by (y)\n+ job:errors:rate5m":                                         `x job:errors:rate5m`,
		`a and on() b unless c or d`:                                                   `a b c d`,
		`a{b="}"} > 1`:                                                                 `a{b="}"}`,
		`a{`:                                                                           `a`,
		`{`:                                                                            ``,
		`count by (`:                                                                   ``,
		`sum(rate(by[1m]))`:                                                            ``,
		strings.Repeat("x+", 10_000):                                                   ``,
		`topk(5, sum by(le) (rate(b_bucket{le="+Inf", route=~"/a.*"}[1m])))`: `b_bucket{le="+Inf",route=~"/a.*"}`,
	} {
		var got []string
		for _, s := range Selectors(expr) {
			got = append(got, s.String())
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s\n has %q, want %q", clip(expr, 100), text, want)
		}
	}
}

func TestThresholdIsTakenOff(t *testing.T) {
	for expr, want := range map[string]string{
		`a > 0.05`:                   `a 0.05 true`,
		`sum(a) / sum(b) >= 1e-3`:    `sum(a) / sum(b) 0.001 true`,
		`a{x=">"} < (3)`:             `a{x=">"} 3 true`,
		`a > b`:                      `a > b 0 false`,
		`a > 1 and b > 2`:            `a > 1 and b > 2 0 false`,
		`b > 2 and a`:                `b > 2 and a 0 false`,
		`sum(a > 1)`:                 `sum(a > 1) 0 false`,
		`a == bool 1`:                `a == bool 1 0 false`,
		`a`:                          `a 0 false`,
		`> 1`:                        `> 1 0 false`,
		`label_replace(a,"b","> 1")`: `label_replace(a,"b","> 1") 0 false`,
	} {
		left, v, ok := WithoutThreshold(expr)
		if got := fmt.Sprint(left, " ", v, " ", ok); got != want {
			t.Errorf("%s gives %q, want %q", expr, got, want)
		}
	}
}

func TestExpressionsOfANotification(t *testing.T) {
	many := make([]string, 2*maxExpressions)
	for i := range many {
		many[i] = fmt.Sprintf(`{"annotations":{"expr":"e%d"}}`, i)
	}
	for body, want := range map[string][]string{
		`{"alerts":[{"generatorURL":"http://p:9090/graph?g0.expr=up+%3D%3D+0&g0.tab=1"}]}`:  {`up == 0`},
		`{"alerts":[{"generatorURL":"http://grafana/x"},{"annotations":{"expr":"a > 1"}}]}`: {`a > 1`},
		`{"alerts":[{"labels":{"query":"b"}}]}`:                                             {`b`},
		`{"alerts":[{"generatorURL":7,"annotations":{"expr":"a"}}]}`:                        {`a`},
		`{"alerts":[{"labels":{"n":7},"annotations":{"expr":"a"}}]}`:                        {`a`},
		// Of several alerts each one's, once; of those that are over only where none fires.
		`{"alerts":[{"status":"firing","annotations":{"expr":"a"}},{"status":"resolved","annotations":{"expr":"b"}},{"status":"firing","annotations":{"expr":"c"}},{"status":"firing","annotations":{"expr":"a"}}]}`: {`a`, `c`},
		`{"alerts":[{"status":"resolved","annotations":{"expr":"b"}}]}`: {`b`},
		`{"alerts":[` + strings.Join(many, ",") + `]}`:                  {`e0`, `e1`, `e2`, `e3`, `e4`, `e5`, `e6`, `e7`},
		`{"alerts":[]}`: nil, `[]`: nil, ``: nil,
		strings.Repeat("[", 100_000): nil,
		`{"alerts":[{"annotations":{"expr":"` + strings.Repeat("x", maxExpression+1) + `"}}]}`: nil,
	} {
		if got := AlertExpressions([]byte(body)); !slices.Equal(got, want) {
			t.Errorf("%s has %q, want %q", clip(body, 100), got, want)
		}
	}
}

func FuzzSelectors(f *testing.F) {
	for _, s := range []string{`sum by (a) (rate(x{b=~"c",d!='e'}[5m])) / y > 0.1`, "{`a`}", `a{b="c`, `by(`, `a{{}}`, `"`, `x[5m:1m] @ 1`, `{__name__="x"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, expr string) {
		for _, s := range Selectors(expr) {
			// What was read is read alike again, so that nothing of the text gets out of its quotes.
			again := Selectors(s.String())
			if s.Metric != "" && !plainMetric(s.Metric) {
				continue // a name in quotes is written without them
			}
			if len(again) > 1 {
				t.Errorf("%q of %q reads as %v", s, expr, again)
			}
		}
		left, _, ok := WithoutThreshold(expr)
		if ok && len(left) >= len(expr) || !ok && left != expr {
			t.Errorf("%q is left of %q", left, expr)
		}
	})
}

func plainMetric(name string) bool {
	for i := range len(name) {
		if !isLetter(name[i]) && name[i] != ':' && (i == 0 || name[i] < '0' || name[i] > '9') {
			return false
		}
	}
	return name != ""
}
