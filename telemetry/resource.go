package telemetry

import (
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// UnknownService is the name of the service that a resource without one gets.
const UnknownService = "unknown_service"

// resource converts a resource; equal ones share one Resource.
func (r *Reader) resource(in pcommon.Resource) *Resource {
	res, _, _ := r.sharedResource(r.attrs(in.Attributes(), false), r.notes)
	return res
}

// sharedResource is the resource with these attributes, its key, and whether it is new under it.
func (r *Reader) sharedResource(attrs Attrs, notes noteCounts) (shared *Resource, name string, added bool) {
	var key strings.Builder
	for _, a := range attrs {
		key.WriteString(a.Key)
		key.WriteByte(0)
		key.WriteString(a.Value)
		key.WriteByte(0)
	}
	if known, ok := r.resources[key.String()]; ok {
		return known, key.String(), false
	}
	res := &Resource{
		Service:  attrs.Get("service.name"),
		Instance: attrs.First("service.instance.id", "k8s.pod.name", "host.name", "container.id"),
		Version:  attrs.Get("service.version"),
		Commit:   attrs.Get(AttrCommit),
		Language: attrs.Get("telemetry.sdk.language"),
		Attrs:    attrs,
	}
	if res.Service == "" {
		res.Service = UnknownService
		notes.add(NoteNoService, 1)
	}
	if res.Commit == "" && looksLikeCommit(res.Version) {
		res.Commit = res.Version
	}
	if len(r.resources) < internSize {
		r.resources[key.String()] = res
		added = true
	}
	return res, key.String(), added
}

// looksLikeCommit says that a version is a full or shortened Git object name. A short one
// has to mix digits and letters, so that neither 20240131 nor "deadbeef"-like words pass.
func looksLikeCommit(v string) bool {
	if len(v) < 7 || len(v) > 64 {
		return false
	}
	digits, letters := 0, 0
	for i := 0; i < len(v); i++ {
		switch c := v[i]; {
		case c >= '0' && c <= '9':
			digits++
		case c >= 'a' && c <= 'f':
			letters++
		default:
			return false
		}
	}
	return digits > 0 && letters > 0
}
