package incident

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// passing are labels that change while the incident stays the same: the urgency of a
// multi-window burn-rate alert, and the replica that happened to be scraped.
var passing = []string{"severity", "priority", "level", "instance", "pod", "pod_name", "container", "container_id", "node", "host", "replica", "endpoint_ip", "prometheus",
	"prometheus_replica", "ref_id"}

// fingerprint is what repeats of one alert share and others do not have. Lengths in front keep
// ("ab","c") and ("a","bc") apart.
func fingerprint(source, name string, labels map[string]string) string {
	h := sha256.New()
	write := func(s string) { fmt.Fprintf(h, "%d:%s,", len(s), s) }
	write(source)
	write(name)
	for _, k := range identifying(labels) {
		write(k)
		write(labels[k])
	}
	return hex.EncodeToString(h.Sum(nil)[:16])
}

// identifying are the names of the labels that tell one incident from another, sorted.
func identifying(labels map[string]string) []string {
	keys := make([]string, 0, len(labels))
	for k := range labels {
		if !slices.Contains(passing, k) && k != "alertname" {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// lessLabels orders label sets by what identifies them.
func lessLabels(a, b map[string]string) bool {
	flat := func(m map[string]string) []string {
		out := []string{m["alertname"]}
		for _, k := range identifying(m) {
			out = append(out, k, m[k])
		}
		return out
	}
	return slices.Compare(flat(a), flat(b)) < 0
}

// with is a copy of a map with one more entry.
func with(m map[string]string, key, value string) map[string]string {
	out := maps.Clone(m)
	if out == nil {
		out = map[string]string{}
	}
	out[key] = value
	return out
}

// measured are the parts of a title that differ from one occurrence to the next: numbers with their
// units, and hexadecimal ids.
var measured = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\b[0-9a-f]{12,}\b|[0-9]+([.,:][0-9]+)*`)

// template is a title without what is measured anew each time.
func template(title string) string {
	return strings.Join(strings.Fields(measured.ReplaceAllString(strings.ToLower(title), "#")), " ")
}
