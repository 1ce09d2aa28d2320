package incident

import (
	"maps"
	"slices"
	"strings"
	"unicode"
)

const (
	// maxText bounds one label or annotation; longer ones are cut. Alertmanager itself sets no bound,
	// and an annotation may carry a rendered template of any size.
	maxText = 4096
	// maxName bounds a name, which stands in lists and reports.
	maxName = 200
	// maxLabels bounds the labels and annotations that are kept; identity is computed from all.
	maxLabels = 128
)

// describeBy sets what an incident says about itself. Service and operation may be set already.
func (in *Incident) describeBy(labels, annotations map[string]string) {
	in.Labels, in.Annotations = clipAll(labels), clipAll(annotations)
	if in.Service == "" {
		in.Service = first(in.Labels, "service", "service_name", "service.name", "app", "app_kubernetes_io_name")
	}
	if in.Operation == "" {
		in.Operation = first(in.Labels, "operation", "route", "http_route", "http.route", "handler", "endpoint", "span_name", "resource_name")
	}
	in.Service, in.Operation = clip(in.Service, maxText), clip(in.Operation, maxText)
}

// nameOf is the first of several texts that is not empty, as one line without control characters.
func nameOf(texts ...string) string {
	for _, text := range texts {
		line := strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }), " ")
		if line != "" {
			return clip(line, maxName)
		}
	}
	return ""
}

func first(labels map[string]string, keys ...string) string {
	for _, k := range keys {
		if v := labels[k]; v != "" {
			return v
		}
	}
	return ""
}

func clipAll(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]string, min(len(m), maxLabels))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if len(out) == maxLabels {
			break
		}
		out[clip(k, maxText)] = clip(m[k], maxText)
	}
	return out
}

func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "…"
}
