package sources

import (
	"context"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// ArgoCDOptions say which applications count.
type ArgoCDOptions struct {
	// Namespaces are those that applications deploy to; all when empty.
	Namespaces []string
	// Selector is a label selector of applications.
	Selector string
}

// ArgoCD says what Argo CD rolled out: each entry of an application's history is a sync that succeeded, with its time and the
// revision of each of its sources. Argo CD keeps the last ten. A sync that is under way or has failed may have changed
// things too, and counts as of its start.
//
// The API lists all applications in one answer: there is no page to ask for. Names of namespaces are filtered here.
type ArgoCD struct {
	c *Client
	o ArgoCDOptions
}

// NewArgoCD makes a source of roll-outs; nothing is asked yet.
func NewArgoCD(c *Client, o ArgoCDOptions) *ArgoCD { return &ArgoCD{c: c, o: o} }

// mostApplications bounds how many applications of an answer are looked at.
const mostApplications = 10_000

// Name implements ChangeSource.
func (a *ArgoCD) Name() string { return a.c.Name() }

// argoApplications is v1alpha1.ApplicationList, as far as it matters (assets/swagger.json of Argo CD 3).
type argoApplications struct {
	Items *[]argoApplication `json:"items"`
}

type argoApplication struct {
	Metadata struct {
		Name        string            `json:"name"`
		Labels      map[string]string `json:"labels"`
		Annotations map[string]string `json:"annotations"`
	} `json:"metadata"`
	Spec struct {
		Destination struct {
			Namespace string `json:"namespace"`
		} `json:"destination"`
	} `json:"spec"`
	Status struct {
		History []argoSync `json:"history"`
		Summary struct {
			Images []string `json:"images"`
		} `json:"summary"`
		OperationState *struct {
			Phase      string    `json:"phase"`
			StartedAt  time.Time `json:"startedAt"`
			SyncResult *argoSync `json:"syncResult"`
		} `json:"operationState"`
	} `json:"status"`
}

type argoSync struct {
	DeployedAt      time.Time    `json:"deployedAt"`
	DeployStartedAt *time.Time   `json:"deployStartedAt"`
	Revision        string       `json:"revision"`
	Revisions       []string     `json:"revisions"`
	Source          argoSource   `json:"source"`
	Sources         []argoSource `json:"sources"`
}

type argoSource struct {
	RepoURL        string `json:"repoURL"`
	Path           string `json:"path"`
	Chart          string `json:"chart"`
	Ref            string `json:"ref"`
	TargetRevision string `json:"targetRevision"`
}

// Deploys implements ChangeSource.
func (a *ArgoCD) Deploys(ctx context.Context, w Window) ([]localize.Deploy, error) {
	v := url.Values{}
	if a.o.Selector != "" {
		v.Set("selector", a.o.Selector)
	}
	var list argoApplications
	if err := a.c.GetJSON(ctx, "/api/v1/applications", v, &list); err != nil {
		return nil, err
	}
	if list.Items == nil {
		// An empty list is "items": null; what has no items at all is something else.
		var shape map[string]any
		if err := a.c.GetJSON(ctx, "/api/v1/applications", v, &shape); err != nil {
			return nil, err
		}
		if _, ok := shape["items"]; !ok {
			return nil, fmt.Errorf("%s answered without a list of applications; check that the URL is that of an Argo CD server", a.Name())
		}
		return nil, nil
	}
	part := &Incomplete{Source: a.Name()}
	items := *list.Items
	if len(items) > mostApplications {
		part.Missing = append(part.Missing, fmt.Sprintf("only the first %d of %d applications were looked at: set a selector", mostApplications, len(items)))
		items = items[:mostApplications]
	}
	var out []localize.Deploy
	for i := range items {
		if app := &items[i]; len(a.o.Namespaces) == 0 || slices.Contains(a.o.Namespaces, app.Spec.Destination.Namespace) {
			out = append(out, app.deploys(w)...)
		}
	}
	slices.SortStableFunc(out, func(a, b localize.Deploy) int {
		if c := a.Time.Compare(b.Time); c != 0 {
			return c
		}
		return strings.Compare(a.Service, b.Service)
	})
	if len(part.Missing) > 0 {
		return out, part
	}
	return out, nil
}

// deploys are an application's syncs within the window.
func (app *argoApplication) deploys(w Window) []localize.Deploy {
	var out []localize.Deploy
	service := app.Metadata.Labels[nameLabel]
	if service == "" {
		service = app.Metadata.Name
	}
	add := func(at time.Time, s argoSync) {
		if at.Before(w.From) || !at.Before(w.To) {
			return
		}
		d := localize.Deploy{Time: at.UTC(), Service: clip(service, 200)}
		d.SHA, d.Version = s.built()
		out = append(out, d)
	}
	for _, h := range app.Status.History {
		at := h.DeployedAt
		if h.DeployStartedAt != nil && !h.DeployStartedAt.IsZero() {
			at = *h.DeployStartedAt // things change from here on
		}
		add(at, h)
	}
	if op := app.Status.OperationState; op != nil && op.SyncResult != nil && op.Phase != "Succeeded" {
		add(op.StartedAt, *op.SyncResult)
	}
	return out
}

// built is the commit and the version that a sync brought: the first revision that is a hash of git, and the version of a
// chart or what the source tracks.
func (s argoSync) built() (sha, version string) {
	revisions, sources := s.Revisions, s.Sources
	if len(revisions) == 0 {
		revisions, sources = []string{s.Revision}, []argoSource{s.Source}
	}
	for i, r := range revisions {
		var from argoSource
		if i < len(sources) {
			from = sources[i]
		}
		hash := strings.ToLower(r)
		switch {
		case isCommit(hash) && len(hash) == 40:
			if sha == "" {
				sha = hash
			}
			if t := from.TargetRevision; version == "" && t != "" && t != "HEAD" && !isCommit(strings.ToLower(t)) {
				version = clip(path.Base(t), 100)
			}
		case version == "" && r != "":
			version = clip(r, 100)
		}
	}
	return sha, version
}
