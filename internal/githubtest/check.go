package githubtest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// checkRun is one check run; all are the App's.
type checkRun struct {
	id                   int64
	suite                *checkSuite
	name, external       string
	details              string
	status, conclusion   string
	started, completed   time.Time
	title, summary, text any
	annotations          []object
	by                   *account
}

// checkSuite holds the check runs on one commit.
type checkSuite struct {
	id          int64
	head        string
	branch      string
	made        time.Time
	rerequested int
}

func checkRoutes() []route {
	const at = "/repos/{owner}/{repo}"
	return []route{
		{"POST", at + "/check-runs", "checks:write", createCheck},
		{"GET", at + "/check-runs/{check_run_id}", "checks:read", getCheck},
		{"PATCH", at + "/check-runs/{check_run_id}", "checks:write", updateCheck},
		{"GET", at + "/check-runs/{check_run_id}/annotations", "checks:read", listAnnotations},
		{"POST", at + "/check-runs/{check_run_id}/rerequest", "checks:write", rerequestCheck},
		{"GET", at + "/commits/{ref}/check-runs", "checks:read", listChecks},
		{"GET", at + "/commits/{ref}/check-suites", "checks:read", listSuites},
		{"GET", at + "/check-suites/{check_suite_id}", "checks:read", getSuite},
		{"GET", at + "/check-suites/{check_suite_id}/check-runs", "checks:read", suiteChecks},
		{"POST", at + "/check-suites/{check_suite_id}/rerequest", "checks:write", rerequestSuite},
	}
}

// suiteFor finds or makes the suite of a commit.
func (r *Repository) suiteFor(sha, branch string, by *account) *checkSuite {
	for _, s := range r.suites {
		if s.head == sha {
			return s
		}
	}
	s := &checkSuite{id: r.s.id(), head: sha, branch: branch, made: r.s.now()}
	r.suites[s.id] = s
	if branch != "" {
		r.emit("check_suite", "requested", object{"action": "requested", "check_suite": r.suiteJSON(s)}, by)
	}
	return s
}

// minimalPulls are the open pull requests of a commit in the short form.
func (r *Repository) minimalPulls(sha string) []any {
	all := []any{}
	for _, p := range r.sortedPulls() {
		if p.state != "open" || p.headSHA != sha {
			continue
		}
		side := func(ref, sha string) object {
			return object{"ref": ref, "sha": sha, "repo": object{"id": r.id, "url": r.url(), "name": r.name}}
		}
		all = append(all, object{"id": p.id, "number": p.number, "url": p.url(), "head": side(p.headRef, p.headSHA), "base": side(p.baseRef, p.baseSHA)})
	}
	return all
}

func (r *Repository) checkJSON(k *checkRun) object {
	u := fmt.Sprintf("%s/check-runs/%d", r.url(), k.id)
	html := fmt.Sprintf("%s/runs/%d", r.html(), k.id)
	details := any(k.details)
	if k.details == "" {
		details = html
	}
	return object{
		"id": k.id, "head_sha": k.suite.head, "node_id": nodeID("CR", k.id), "external_id": k.external, "url": u, "html_url": html,
		"details_url": details, "status": k.status, "conclusion": nullable(k.conclusion), "started_at": stamp(k.started), "completed_at": stamp(k.completed),
		"output": object{
			"title": k.title, "summary": k.summary, "text": k.text, "annotations_count": len(k.annotations), "annotations_url": u + "/annotations",
		},
		"name": k.name, "check_suite": object{"id": k.suite.id}, "app": r.s.appJSON(), "pull_requests": r.minimalPulls(k.suite.head),
	}
}

func (r *Repository) checksOf(suite *checkSuite) []*checkRun {
	var all []*checkRun
	for _, k := range r.checks {
		if k.suite == suite {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *checkRun) int { return int(b.id - a.id) })
	return all
}

func (r *Repository) suiteJSON(s *checkSuite) object {
	u := fmt.Sprintf("%s/check-suites/%d", r.url(), s.id)
	status, conclusion := "queued", any(nil)
	runs := r.checksOf(s)
	if len(runs) > 0 {
		status, conclusion = "completed", "success"
		for _, k := range runs {
			if k.status != "completed" {
				status, conclusion = "in_progress", nil
				break
			}
			if k.conclusion != "success" && k.conclusion != "neutral" && k.conclusion != "skipped" {
				conclusion = k.conclusion
			}
		}
	}
	return object{
		"id": s.id, "node_id": nodeID("CS", s.id), "head_branch": nullable(s.branch), "head_sha": s.head, "status": status, "conclusion": conclusion,
		"url": u, "before": nil, "after": s.head, "pull_requests": r.minimalPulls(s.head), "app": r.s.appJSON(), "repository": r.json(),
		"created_at": stamp(s.made), "updated_at": stamp(s.made), "head_commit": r.simpleCommit(s.head), "latest_check_runs_count": len(runs),
		"check_runs_url": u + "/check-runs", "rerequestable": true, "runs_rerequestable": true,
	}
}

func (r *Repository) simpleCommit(sha string) object {
	one, err := r.git.commit(sha)
	if err != nil {
		return nil
	}
	who := func(p person) object { return object{"name": p.name, "email": p.email} }
	return object{
		"id": sha, "tree_id": one.tree, "message": one.message, "timestamp": stamp(one.committer.when), "author": who(one.author), "committer": who(one.committer),
	}
}

const (
	maxCheckText      = 65535
	maxAnnotations    = 50
	maxAnnotationText = 64 * 1024
)

// apply takes over what a body says of a run; it returns GitHub's refusal if something is too much.
func (c *call) apply(k *checkRun) *answer {
	refuse := func(a answer) *answer { return &a }
	out, _ := c.body["output"].(object)
	var notes []object
	if out != nil {
		for _, field := range []string{"summary", "text"} {
			if v, _ := out[field].(string); len(v) > maxCheckText {
				return refuse(invalid(fieldError{"CheckRun", field, "custom", fmt.Sprintf("%s exceeds a maximum of %d bytes", field, maxCheckText)}))
			}
		}
		list, _ := out["annotations"].([]any)
		if len(list) > maxAnnotations {
			return refuse(invalid(fieldError{"CheckRun", "annotations", "custom", "annotations exceeds a maximum quantity of 50"}))
		}
		for _, v := range list {
			o, _ := v.(object)
			if bad := checkAnnotation(o); bad != "" {
				return refuse(invalid(fieldError{"CheckRun", "annotations", "invalid", bad}))
			}
			notes = append(notes, o)
		}
	}
	if status := c.text("status"); status != "" {
		k.status = status
	}
	if conclusion := c.text("conclusion"); conclusion != "" {
		k.conclusion, k.status = conclusion, "completed"
	}
	if k.status == "completed" && k.conclusion == "" {
		return refuse(invalid(fieldError{"CheckRun", "conclusion", "missing_field", ""}))
	}
	if k.status != "completed" { // back to pending
		k.conclusion, k.completed = "", time.Time{}
	} else if k.completed.IsZero() {
		k.completed = c.s.now()
	}
	for name, to := range map[string]*string{"name": &k.name, "external_id": &k.external, "details_url": &k.details} {
		if v, there := c.body[name].(string); there {
			*to = v
		}
	}
	for name, to := range map[string]*time.Time{"started_at": &k.started, "completed_at": &k.completed} {
		if t, err := time.Parse(time.RFC3339, c.text(name)); err == nil {
			*to = t
		}
	}
	if out != nil {
		for name, to := range map[string]*any{"title": &k.title, "summary": &k.summary, "text": &k.text} {
			if v, there := out[name].(string); there {
				*to = v
			}
		}
		k.annotations = append(k.annotations, notes...)
	}
	return nil
}

func checkAnnotation(o object) string {
	number := func(name string) (float64, bool) { n, there := o[name].(float64); return n, there }
	first, there1 := number("start_line")
	last, there2 := number("end_line")
	level, _ := o["annotation_level"].(string)
	message, _ := o["message"].(string)
	title, _ := o["title"].(string)
	_, column := o["start_column"]
	switch {
	case o["path"] == nil || o["path"] == "":
		return "path is missing"
	case !there1 || !there2 || first < 1 || last < first:
		return "start_line and end_line are not a range"
	case column && first != last:
		return "columns are for annotations of one line"
	case !slices.Contains([]string{"notice", "warning", "failure"}, level):
		return "annotation_level is unknown"
	case message == "" || len(message) > maxAnnotationText:
		return "message is missing or exceeds 64 KB"
	case len([]rune(title)) > 255:
		return "title exceeds 255 characters"
	}
	return ""
}

func createCheck(c *call) answer {
	sha := c.text("head_sha")
	if c.repo.git.kind(sha) != "commit" {
		return unprocessable("No commit found for SHA: %s", sha)
	}
	if c.text("name") == "" {
		return invalid(fieldError{"CheckRun", "name", "missing_field", ""})
	}
	branch := ""
	for ref, at := range c.repo.git.refs() {
		if name, isBranch := strings.CutPrefix(ref, "refs/heads/"); isBranch && at == sha {
			branch = name
		}
	}
	k := &checkRun{id: c.s.id(), suite: c.repo.suiteFor(sha, branch, c.actor.account), status: "queued", started: c.s.now(), by: c.actor.account}
	if bad := c.apply(k); bad != nil {
		return *bad
	}
	c.repo.checks[k.id] = k
	c.repo.emitCheck("created", k, c.actor.account)
	if k.status == "completed" {
		c.repo.emitCheck("completed", k, c.actor.account)
	}
	return created(c.repo.checkJSON(k))
}

func (r *Repository) emitCheck(action string, k *checkRun, by *account) {
	o := r.checkJSON(k)
	o["check_suite"] = r.suiteJSON(k.suite)
	r.emit("check_run", action, object{"action": action, "check_run": o}, by)
}

func (c *call) check() *checkRun { return c.repo.checks[c.argID("check_run_id")] }

func getCheck(c *call) answer {
	k := c.check()
	if k == nil {
		return notFound()
	}
	return ok(c.repo.checkJSON(k))
}

func updateCheck(c *call) answer {
	k := c.check()
	if k == nil {
		return notFound()
	}
	was := k.status
	if bad := c.apply(k); bad != nil {
		return *bad
	}
	if k.status == "completed" && was != "completed" {
		c.repo.emitCheck("completed", k, c.actor.account)
	}
	return ok(c.repo.checkJSON(k))
}

func listAnnotations(c *call) answer {
	k := c.check()
	if k == nil {
		return notFound()
	}
	all := []any{}
	for _, n := range k.annotations {
		o := object{"start_column": nil, "end_column": nil, "title": nil, "raw_details": nil}
		for name, v := range n {
			o[name] = v
		}
		o["blob_href"] = fmt.Sprintf("%s/blob/%s/%v", c.repo.html(), k.suite.head, n["path"])
		all = append(all, o)
	}
	return c.page(all, nil)
}

func rerequestCheck(c *call) answer {
	k := c.check()
	if k == nil {
		return notFound()
	}
	c.repo.rerequest(k, c.actor.account)
	return created(object{})
}

func (r *Repository) rerequest(k *checkRun, by *account) { r.emitCheck("rerequested", k, by) }

func (c *call) filterChecks(all []*checkRun) answer {
	latest := map[string]bool{}
	list := []any{}
	for _, k := range all {
		if name := c.query("check_name"); name != "" && name != k.name {
			continue
		}
		if status := c.query("status"); status != "" && status != k.status {
			continue
		}
		if c.query("filter") != "all" && latest[k.name] {
			continue
		}
		latest[k.name] = true
		list = append(list, c.repo.checkJSON(k))
	}
	return c.page(list, counted("check_runs", len(list)))
}

func listChecks(c *call) answer {
	sha := c.repo.git.commitOf(c.args["ref"])
	if sha == "" {
		return unprocessable("No commit found for SHA: %s", c.args["ref"])
	}
	var all []*checkRun
	for _, s := range c.repo.suites {
		if s.head == sha {
			all = append(all, c.repo.checksOf(s)...)
		}
	}
	return c.filterChecks(all)
}

func (c *call) suite() *checkSuite { return c.repo.suites[c.argID("check_suite_id")] }

func listSuites(c *call) answer {
	sha := c.repo.git.commitOf(c.args["ref"])
	if sha == "" {
		return notFound()
	}
	list := []any{}
	for _, s := range c.repo.suites {
		if s.head == sha {
			list = append(list, c.repo.suiteJSON(s))
		}
	}
	return c.page(list, counted("check_suites", len(list)))
}

func getSuite(c *call) answer {
	s := c.suite()
	if s == nil {
		return notFound()
	}
	return ok(c.repo.suiteJSON(s))
}

func suiteChecks(c *call) answer {
	s := c.suite()
	if s == nil {
		return notFound()
	}
	return c.filterChecks(c.repo.checksOf(s))
}

func rerequestSuite(c *call) answer {
	s := c.suite()
	if s == nil {
		return notFound()
	}
	s.rerequested++
	c.repo.emit("check_suite", "rerequested", object{"action": "rerequested", "check_suite": c.repo.suiteJSON(s)}, c.actor.account)
	return answer{status: http.StatusCreated, body: object{}}
}
