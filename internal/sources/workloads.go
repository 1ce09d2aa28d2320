package sources

import (
	"encoding/json"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry/nesting"
)

// workloads are what a cluster keeps about roll-outs.
type workloads struct {
	current   map[string]*appsv1.Deployment // by UID
	revisions []revision
}

// revision is one pod template that a workload had, and since when.
type revision struct {
	namespace, workload string
	owner               string // UID of the workload
	number              int64
	made                time.Time
	again               bool // it is an old one that came back
	meta                metav1.ObjectMeta
	template            corev1.PodTemplateSpec
}

func (w *workloads) deployments(list runtime.Object) {
	for i := range list.(*appsv1.DeploymentList).Items {
		d := &list.(*appsv1.DeploymentList).Items[i]
		w.current[string(d.UID)] = d
	}
}

// The annotations that number the ReplicaSets of a Deployment and of a Rollout, and the one that says which numbers a
// ReplicaSet had before, which it has when a roll-out was undone.
const (
	deploymentRevision = "deployment.kubernetes.io/revision"
	revisionHistory    = "deployment.kubernetes.io/revision-history"
	rolloutRevision    = "rollout.argoproj.io/revision"
)

func (w *workloads) replicaSets(list runtime.Object) {
	for i := range list.(*appsv1.ReplicaSetList).Items {
		rs := &list.(*appsv1.ReplicaSetList).Items[i]
		owner := controllerOf(rs.OwnerReferences, "Deployment", "Rollout")
		if owner == nil {
			continue // made by hand: nothing was rolled out
		}
		number := rs.Annotations[deploymentRevision]
		if number == "" {
			number = rs.Annotations[rolloutRevision]
		}
		r := revision{namespace: rs.Namespace, workload: owner.Name, owner: string(owner.UID), made: rs.CreationTimestamp.Time,
			again: rs.Annotations[revisionHistory] != "", meta: rs.ObjectMeta, template: rs.Spec.Template}
		r.number, _ = strconv.ParseInt(number, 10, 64) // 0 where there is none
		w.revisions = append(w.revisions, r)
	}
}

// controllerRevisions keeps those of StatefulSets and DaemonSets, whose data is a patch with the pod template in it.
func (w *workloads) controllerRevisions(list runtime.Object) {
	for i := range list.(*appsv1.ControllerRevisionList).Items {
		cr := &list.(*appsv1.ControllerRevisionList).Items[i]
		owner := controllerOf(cr.OwnerReferences, "StatefulSet", "DaemonSet")
		if owner == nil {
			continue
		}
		r := revision{namespace: cr.Namespace, workload: owner.Name, owner: string(owner.UID), number: cr.Revision, made: cr.CreationTimestamp.Time, meta: cr.ObjectMeta}
		var data struct {
			Spec struct {
				Template corev1.PodTemplateSpec `json:"template"`
			} `json:"spec"`
		}
		if nesting.JSON(cr.Data.Raw) == nil && json.Unmarshal(cr.Data.Raw, &data) == nil {
			r.template = data.Spec.Template
		}
		w.revisions = append(w.revisions, r)
	}
}

func controllerOf(refs []metav1.OwnerReference, kinds ...string) *metav1.OwnerReference {
	for i, r := range refs {
		if r.Controller != nil && *r.Controller && slices.Contains(kinds, r.Kind) {
			return &refs[i]
		}
	}
	return nil
}

// deploys are the revisions that were rolled out within the window, oldest first.
func (w *workloads) deploys(within Window) []localize.Deploy {
	shared := w.sharedNames()
	newest := map[string]int64{}
	for _, r := range w.revisions {
		newest[r.owner] = max(newest[r.owner], r.number)
	}
	var out []localize.Deploy
	for _, r := range w.revisions {
		at := r.made
		// A roll-out that was undone brought an old ReplicaSet back, whose age says nothing: the Deployment's
		// progress was last noted when it was done.
		if d := w.current[r.owner]; r.again && d != nil && r.number == newest[r.owner] {
			for _, c := range d.Status.Conditions {
				if c.Type == appsv1.DeploymentProgressing && c.LastUpdateTime.After(at) {
					at = c.LastUpdateTime.Time
				}
			}
		}
		if at.Before(within.From) || !at.Before(within.To) {
			continue
		}
		out = append(out, localize.Deploy{Time: at.UTC(), Service: r.service(shared), SHA: r.commit(), Version: r.version()})
	}
	slices.SortStableFunc(out, func(a, b localize.Deploy) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Service, b.Service)
	})
	return out
}

// nameLabel is Kubernetes' recommended label for the name of an application.
const nameLabel = "app.kubernetes.io/name"

// sharedNames are names of applications that several workloads of a namespace carry, which therefore tell no service.
func (w *workloads) sharedNames() map[string]bool {
	first := map[string]string{}
	shared := map[string]bool{}
	for _, r := range w.revisions {
		key := r.namespace + "/" + r.label(nameLabel)
		if was, ok := first[key]; ok && was != r.owner {
			shared[key] = true
		}
		first[key] = r.owner
	}
	return shared
}

func (r *revision) label(key string) string {
	if v := r.template.Labels[key]; v != "" {
		return v
	}
	return r.meta.Labels[key]
}

// service is the name under which the pods report themselves: what their environment says, else what OpenTelemetry's operator
// makes of the workload (its README, "Configure resource attributes"): an annotation, the application's name, the workload's.
func (r *revision) service(shared map[string]bool) string {
	for _, c := range r.template.Spec.Containers {
		if v := variable(c, "OTEL_SERVICE_NAME"); v != "" {
			return v
		}
		if v := resourceAttribute(c, "service.name"); v != "" {
			return v
		}
	}
	if v := r.template.Annotations["resource.opentelemetry.io/service.name"]; v != "" {
		return v
	}
	if v := r.label(nameLabel); v != "" && !shared[r.namespace+"/"+v] {
		return v
	}
	return r.workload
}

func variable(c corev1.Container, name string) string {
	for _, e := range c.Env {
		if e.Name == name && !strings.Contains(e.Value, "$(") {
			return e.Value
		}
	}
	return ""
}

// resourceAttribute reads one of OTEL_RESOURCE_ATTRIBUTES, "key=value,key=value".
func resourceAttribute(c corev1.Container, key string) string {
	for pair := range strings.SplitSeq(variable(c, "OTEL_RESOURCE_ATTRIBUTES"), ",") {
		if k, v, ok := strings.Cut(pair, "="); ok && strings.TrimSpace(k) == key {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// commitKey is the last part of a key under which people keep the commit that something was built from.
var commitKey = regexp.MustCompile(`^(?:(?:git|vcs|source|image|build|app)?(?:commit|sha|revision|ref|hash|commitsha|commithash|commitid|gitsha|gitcommit|refheadrevision)|ddgitcommitsha)$`)

// commitHash is a hash of git, whole or shortened.
var commitHash = regexp.MustCompile(`^[0-9a-f]{7,40}$`)

// inTag is a shortened hash at the end of an image's tag, as in "main-1a2b3c4" and "sha-1a2b3c4".
var inTag = regexp.MustCompile(`^(?:.*[-_.])?([0-9a-f]{7,40})$`)

// commit is the commit that the pods were built from: what an annotation, a label or a variable says, else what the image's
// tag holds; "" where nothing tells.
func (r *revision) commit() string {
	maps := []map[string]string{r.template.Annotations, r.template.Labels, r.meta.Annotations, r.meta.Labels}
	for _, c := range r.template.Spec.Containers {
		env := map[string]string{}
		for _, e := range c.Env {
			env[e.Name] = e.Value
		}
		env["revision"] = resourceAttribute(c, "vcs.ref.head.revision")
		maps = append(maps, env)
	}
	for _, m := range maps {
		keys := make([]string, 0, len(m))
		for k := range m {
			keys = append(keys, k)
		}
		slices.Sort(keys)
		for _, k := range keys {
			if k == deploymentRevision || k == rolloutRevision {
				continue
			}
			last := k[strings.LastIndex(k, "/")+1:]
			last = strings.NewReplacer("-", "", "_", "", ".", "", "orgopencontainersimage", "").Replace(strings.ToLower(last))
			last = strings.TrimPrefix(last, "orgopencontainersimage")
			if v := strings.ToLower(strings.TrimSpace(m[k])); commitKey.MatchString(last) && isCommit(v) {
				return v
			}
		}
	}
	for _, c := range r.template.Spec.Containers {
		tag, _ := imageTag(c.Image)
		if m := inTag.FindStringSubmatch(strings.ToLower(tag)); m != nil && isCommit(m[1]) {
			return m[1]
		}
	}
	return ""
}

// isCommit says whether text is a hash. Digits alone are more often a date or a number of a build, unless there are as many
// as a whole hash has.
func isCommit(text string) bool {
	return commitHash.MatchString(text) && (len(text) == 40 || strings.ContainsAny(text, "abcdef"))
}

// version is what people call what runs: the recommended label, else the image's tag, else the beginning of its digest.
func (r *revision) version() string {
	if v := r.label("app.kubernetes.io/version"); v != "" {
		return clip(v, 100)
	}
	for _, c := range r.template.Spec.Containers {
		tag, digest := imageTag(c.Image)
		if tag != "" {
			return clip(tag, 100)
		}
		if digest != "" {
			return clip(digest, 19) // "sha256:" and twelve digits
		}
	}
	return ""
}

// imageTag takes a reference to an image apart: "registry:5000/name:tag@sha256:...".
func imageTag(image string) (tag, digest string) {
	image, digest, _ = strings.Cut(image, "@")
	image = image[strings.LastIndex(image, "/")+1:]
	_, tag, _ = strings.Cut(image, ":")
	return tag, digest
}
