package sources

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
)

// The series of OpenTelemetry's processes carry job and instance; service, version and place are in target_info.
func TestPrometheusJoinsTargetInfo(t *testing.T) {
	stub := &promStub{names: []string{"up", targetInfo, "requests_total"}, rules: append([]promRule{
		{path: "/series", answer: `[
			{"__name__":"target_info","job":"apps","instance":"10.0.0.1:9464","service_name":"cart","service_version":"2.0","deployment_environment_name":"prod","k8s_pod_name":"cart-1","telemetry_sdk_language":"go"},
			{"__name__":"target_info","job":"apps","instance":"10.0.0.2:9464","service_name":"till","service_version":"1.0","deployment_environment_name":"prod"},
			{"__name__":"target_info","job":"apps","instance":"10.0.0.2:9464","service_name":"till","service_version":"1.1","deployment_environment_name":"prod"},
			{"__name__":"target_info","job":"collector","instance":"c:8889","exported_job":"shop/mail","exported_instance":"m1","service_version":"7"}]`},
		{path: "/query_range", query: "requests_total", answer: `{"resultType":"matrix","result":[
			{"metric":{"__name__":"requests_total","job":"apps","instance":"10.0.0.1:9464","code":"500"},"values":[[1773144000,"1"]]},
			{"metric":{"__name__":"requests_total","job":"apps","instance":"10.0.0.2:9464","code":"500"},"values":[[1773144000,"1"]]},
			{"metric":{"__name__":"requests_total","job":"collector","instance":"c:8889","exported_job":"shop/mail","exported_instance":"m1"},"values":[[1773144000,"1"]]},
			{"metric":{"__name__":"requests_total","job":"apps","instance":"10.0.0.9:9464"},"values":[[1773144000,"1"]]},
			{"metric":{"__name__":"requests_total","job":"apps"},"values":[[1773144000,"1"]]}]}`},
	}, counted(5, "up", "requests_total")...)}
	sink := &keptOutput{}
	if _, err := promOf(t, stub, PrometheusOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: promHour}, sink); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, md := range sink.metrics["incident"] {
		for _, rm := range md.ResourceMetrics().All() {
			attrs := rm.Resource().Attributes().AsRaw()
			var each []string
			for _, key := range slices.Sorted(maps.Keys(attrs)) {
				each = append(each, fmt.Sprintf("%s=%v", strings.TrimPrefix(key, "service."), attrs[key]))
			}
			slices.Sort(each)
			got = append(got, strings.Join(each, " "))
		}
	}
	slices.Sort(got)
	want := []string{
		"deployment.environment.name=prod instance.id=10.0.0.2:9464 job=apps name=till", // two versions: neither is that of all samples
		"deployment.environment.name=prod instance.id=10.0.0.1:9464 job=apps k8s.pod.name=cart-1 name=cart version=2.0",
		"deployment.environment.name=prod name=apps",                              // summed over the job: what all of its processes have
		"exported_job=shop/mail instance.id=m1 job=collector name=mail version=7", // passed on by a collector
		"instance.id=10.0.0.9:9464 name=apps",                                     // a process of which nothing is known
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("series are of\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTargetsThatCannotBeReadAreSaid(t *testing.T) {
	stub := &promStub{names: []string{targetInfo, "up"}, rules: append([]promRule{{path: "/series", status: 400, whole: `{"status":"error","errorType":"bad_data","error":"no series today"}`}}, counted(5, "up")...)}
	r, err := promOf(t, stub, PrometheusOptions{}).Fetch(context.Background(), Query{Name: "incident", Window: promHour}, &keptOutput{})
	if err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(r.Partial, "\n"); !strings.Contains(said, "target_info cannot be read") || !strings.Contains(said, "no series today") {
		t.Errorf("said %s", said)
	}
}

// What the series say of themselves goes before what target_info says.
func TestJoinKeepsTheLabelsOfASeries(t *testing.T) {
	targets := newPromTargets([]model.LabelSet{{"job": "a", "instance": "i", "service_version": "2", "version": ""}, {"instance": "without a job"}}, nil)
	labels := model.Metric{"job": "a", "instance": "i", "service_version": "1"}
	if got := targets.join(labels); got["service_version"] != "1" || len(got) != 3 {
		t.Errorf("joined to %v", got)
	}
	if got := targets.join(model.Metric{"instance": "without a job"}); len(got) != 1 || len(targets) != 2 {
		t.Errorf("joined to %v of %v", got, targets)
	}
}
