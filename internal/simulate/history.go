package simulate

import (
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// innocent is a commit that changes nothing that could be felt.
type innocent struct {
	messages []string
	patch    [4]string
	config   bool
	scary    bool // its words speak of trouble
}

func innocents() []innocent {
	return []innocent{
		{messages: []string{"docs: describe {Name}", "fix typo in {thing} comment"}, patch: [4]string{"-// {fn} returns teh {thing}.\n+// {fn} returns the {thing}.\n func x() {}\n", "-    /** Returns teh {thing}. */\n+    /** Returns the {thing}. */\n     {Thing} {fn}();\n", "-    # returns teh {thing}\n+    # returns the {thing}\n     return row\n", "-  // returns teh {thing}\n+  // returns the {thing}\n   return row;\n"}},
		{messages: []string{"log the id of each {thing}", "improve logging of {Name}"}, patch: [4]string{"+\tslog.Debug(\"{s_thing} loaded\", \"id\", in.Id)\n \treturn out, nil\n", "+        log.debug(\"{thing} {} loaded\", id);\n         return result;\n", "+    log.debug(\"{s_thing} %s loaded\", key)\n     return result\n", "+  log.debug({ id }, '{thing} loaded');\n   return result;\n"}},
		{messages: []string{"rename local variable in {fn}", "refactor: extract constant"}, patch: [4]string{"-\tn := 50\n+\tn := pageSize\n \treturn s.page(ctx, n)\n", "-        int n = 50;\n+        int n = PAGE_SIZE;\n         return page(n);\n", "-    n = 50\n+    n = PAGE_SIZE\n     return page(n)\n", "-  const n = 50;\n+  const n = PAGE_SIZE;\n   return page(n);\n"}},
		{scary: true, messages: []string{"fix: possible nil pointer in {Name}", "handle missing {thing} gracefully"}, patch: [4]string{"+\tif in == nil {\n+\t\treturn nil, errEmpty\n+\t}\n \tout := s.build(in)\n", "+        if (request == null) {\n+            throw new IllegalArgumentException(\"request\");\n+        }\n         return build(request);\n", "+    if request is None:\n+        raise ValueError(\"request\")\n     return build(request)\n", "+  if (!req) throw new TypeError('request');\n   return build(req);\n"}},
		{scary: true, messages: []string{"perf: avoid an allocation in {fn}", "speed up {Name}"}, patch: [4]string{"-\tout := []{Thing}{}\n+\tout := make([]{Thing}, 0, len(rows))\n \tfor _, r := range rows {\n", "-        List<{Thing}> out = new ArrayList<>();\n+        List<{Thing}> out = new ArrayList<>(rows.size());\n", "-    out = list(map(convert, rows))\n+    out = [convert(r) for r in rows]\n", "-  const out = rows.map((r) => convert(r));\n+  const out = rows.map(convert);\n"}},
		{scary: true, messages: []string{"add metric for time-outs of {Name}", "count retries of {fn}"}, patch: [4]string{"+\ts.metrics.{Name}Retries.Add(ctx, 1)\n \treturn err\n", "+        meter.counter(\"{s_thing}.retries\").increment();\n         throw e;\n", "+    RETRIES.labels(\"{s_thing}\").inc()\n     raise\n", "+  retries.inc({ kind: '{thing}' });\n   throw err;\n"}},
		{scary: true, messages: []string{"refactor error handling of {Name}", "wrap errors with context"}, patch: [4]string{"-\t\treturn nil, err\n+\t\treturn nil, fmt.Errorf(\"{sname}: %w\", err)\n \t}\n", "-            throw e;\n+            throw new {Thing}Exception(\"{fn}\", e);\n         }\n", "-        raise\n+        raise {Thing}Error(\"{fn}\") from err\n", "-    throw err;\n+    throw new {Thing}Error('{fn}', { cause: err });\n"}},
		{scary: true, messages: []string{"feat: index for {table}", "database: faster lookups of {things}"}, patch: [4]string{"+CREATE INDEX CONCURRENTLY idx_{table}_updated ON {table} (updated_at);\n"}},
		{messages: []string{"test: cover {Name}", "more cases for {fn}"}, patch: [4]string{"+func Test{Name}Empty(t *testing.T) { check(t, nil) }\n", "+    @Test void {fn}WithoutItems() { check(List.of()); }\n", "+def test_{sname}_empty():\n+    check([])\n", "+test('{fn} without items', () => check([]));\n"}},
		{config: true, messages: []string{"settings: raise log level of {svc}", "{svc}: tune logging"}, patch: [4]string{" logging:\n-  level: debug\n+  level: info\n   format: json\n"}},
		{config: true, scary: true, messages: []string{"{svc}: raise memory request", "settings: more room for {svc}"}, patch: [4]string{" resources:\n   requests:\n-    memory: 256Mi\n+    memory: 320Mi\n     cpu: 200m\n"}},
		{config: true, messages: []string{"{svc}: add team label", "annotate {svc} for the catalogue"}, patch: [4]string{" metadata:\n   labels:\n+    team: platform\n     app: {svc}\n"}},
		{messages: []string{"chore: bump dependencies", "deps: update minor versions"}, patch: [4]string{"-\tgolang.org/x/text v0.21.0\n+\tgolang.org/x/text v0.22.0\n", "-    <version>2.18.1</version>\n+    <version>2.18.2</version>\n", "-urllib3==2.2.1\n+urllib3==2.2.2\n", "-    \"undici\": \"6.19.0\"\n+    \"undici\": \"6.19.2\"\n"}},
		{messages: []string{"feat: new field in the admin view of {things}", "admin: list {things} by age"}, patch: [4]string{"+func (a *admin) list{Things}(w http.ResponseWriter, r *http.Request) { a.render(w, \"{table}\") }\n", "+    @GetMapping(\"/admin/{table}\") String admin{Things}() { return \"{table}\"; }\n", "+@admin.get(\"/admin/{table}\")\n+def admin_{table}():\n+    return render(\"{table}\")\n", "+admin.get('/admin/{table}', (req, res) => res.render('{table}'));\n"}},
	}
}

// history draws the commits, roll-outs and flags before the alert, and which of the innocent ones look guilty.
func (s *scene) history() (changes []localize.Change, deploys []localize.Deploy, flags []localize.FlagChange) {
	r := s.r
	var decoys []string
	latest := s.alert.Add(-30 * time.Second)
	n := r.int(5, 30)
	guilty := s.plan.truth.DeployService
	if guilty == "" {
		guilty = s.plan.truth.Service
	}
	for i := range n {
		svc := pick(r, s.sys.services)
		near := false
		switch {
		case i < 2 && guilty != "" && r.chance(0.75):
			for _, o := range s.sys.services {
				if o.name == guilty {
					svc, near = o, true
				}
			}
		case i == 2 && r.chance(0.7):
			near = true
		}
		c := s.innocent(svc, near)
		if near {
			// Shipped about when it began, before or after.
			c.Time = s.onset.Add(-time.Duration(r.spread(0.5, 90) * float64(time.Minute)))
			at := c.Time.Add(time.Duration(r.between(0.2, 5) * float64(time.Minute)))
			if at.After(latest) {
				at = latest
			}
			deploys = append(deploys, localize.Deploy{Time: at.Truncate(time.Second), Service: svc.name, SHA: c.SHA, Version: svc.version})
			decoys = append(decoys, c.SHA)
		} else {
			c.Time = s.alert.Add(-time.Duration(r.spread(4, 40*60) * float64(time.Minute)))
			if r.chance(0.4) {
				deploys = append(deploys, localize.Deploy{Time: c.Time.Add(time.Duration(r.between(1, 40)) * time.Minute).Truncate(time.Second), Service: svc.name, SHA: c.SHA, Version: svc.version})
			}
		}
		c.Time = c.Time.Truncate(time.Second)
		changes = append(changes, c)
	}
	if s.plan.culprit != nil {
		changes = append(changes, *s.plan.culprit)
	}
	if s.plan.deploy != nil {
		deploys = append(deploys, *s.plan.deploy)
		if s.plan.culprit == nil {
			c := s.innocent(s.serviceNamed(s.plan.deploy.Service), true)
			c.SHA, c.Time = s.plan.deploy.SHA, s.plan.deploy.Time.Add(-10*time.Minute)
			changes = append(changes, c)
			decoys = append(decoys, c.SHA)
		}
	}
	flags = append(flags, s.plan.flags...)
	for range r.IntN(4) {
		svc := pick(r, s.sys.services)
		flags = append(flags, localize.FlagChange{Time: s.alert.Add(-time.Duration(r.spread(2, 1500) * float64(time.Minute))).Truncate(time.Second),
			Flag:    pick(r, []string{"show-", "beta-", "ui-", "log-"}) + snake(svc.noun) + pick(r, []string{"-banner", "-hints", "-layout", "-sampling"}),
			Service: svc.name, Change: pick(r, []string{"on", "off", "10%"}), Actor: pick(r, people())})
	}
	deploys = slices.DeleteFunc(deploys, func(d localize.Deploy) bool { return d.Time.After(latest) })
	slices.SortFunc(changes, func(a, b localize.Change) int { return a.Time.Compare(b.Time) })
	slices.SortFunc(deploys, func(a, b localize.Deploy) int { return a.Time.Compare(b.Time) })
	s.number(deploys)
	slices.SortFunc(flags, func(a, b localize.FlagChange) int { return a.Time.Compare(b.Time) })
	s.plan.truth.Decoys = decoys
	s.forget(changes)
	return changes, deploys, flags
}

// number gives the roll-outs of a service versions that count up.
func (s *scene) number(deploys []localize.Deploy) {
	last := map[string]string{}
	for i := range deploys {
		d := &deploys[i]
		if last[d.Service] == "" {
			last[d.Service] = s.serviceNamed(d.Service).version
		}
		last[d.Service] = bump(last[d.Service])
		d.Version = last[d.Service]
		if s.plan.deploy != nil && d.SHA == s.plan.deploy.SHA {
			s.plan.deploy.Version = d.Version
		}
	}
}

// ship lets the roll-outs of the history happen, so that telemetry and history tell the same. The culprit's, and one that is
// the fault's own, happen with the fault.
func (s *scene) ship(deploys []localize.Deploy) {
	s.plan.deploys = deploys
	for _, d := range deploys {
		if d.Time.Before(s.from) || s.plan.deploy != nil && d.SHA == s.plan.deploy.SHA {
			continue
		}
		svc := s.serviceNamed(d.Service)
		s.plan.timed = append(s.plan.timed, timed{d.Time, func(x *run) { x.rollOut(svc, d.Version, d.SHA, func(*pod) {}, 99) }})
	}
}

// running is what of a service had been rolled out last at a time.
func (p *plan) running(svc *service, at time.Time) (version, sha string) {
	version, sha = svc.version, svc.sha
	for _, d := range p.deploys {
		if d.Service == svc.name && d.Time.Before(at) {
			version, sha = d.Version, d.SHA
		}
	}
	return version, sha
}

// forget leaves out what some histories do not tell: patches of commits that nobody asks about, and the service.
func (s *scene) forget(changes []localize.Change) {
	mono := s.r.chance(0.3)
	half := s.r.chance(0.3)
	for i := range changes {
		c := &changes[i]
		if mono {
			c.Service = ""
		}
		asked := slices.Contains(s.plan.truth.Decoys, c.SHA) || s.plan.culprit != nil && c.SHA == s.plan.culprit.SHA
		if half && !asked && s.r.chance(0.6) {
			for j := range c.Files {
				c.Files[j].Patch = ""
			}
		}
	}
}

func (s *scene) serviceNamed(name string) *service {
	for _, svc := range s.sys.services {
		if svc.name == name {
			return svc
		}
	}
	return s.sys.services[0]
}

// innocent draws a commit of a service; one that is to look guilty speaks of trouble more often than not.
func (s *scene) innocent(svc *service, guilty bool) localize.Change {
	r := s.r
	op := pick(r, svc.ops)
	all := innocents()
	in := pick(r, all)
	for guilty && !in.scary && r.chance(0.7) {
		in = pick(r, all)
	}
	patch := in.patch[svc.lang]
	if patch == "" {
		patch = in.patch[golang]
	}
	fill := s.words(op, svc.name)
	message := fill.Replace(pick(r, in.messages))
	file, line := op.file, op.line+r.int(1, 40)
	switch {
	case in.config:
		file, line = s.configPath(svc), r.int(1, 50)
	case strings.Contains(patch, "CREATE INDEX"):
		file = fmt.Sprintf("%s/migrations/%04d_%s.sql", svc.dir, r.int(10, 90), snake(op.thing))
	case strings.HasPrefix(message, "test"), strings.HasPrefix(message, "more cases"):
		file = testPath(op.file)
	case strings.Contains(message, "dependencies"), strings.Contains(message, "minor versions"):
		file = path.Join(svc.dir, [...]string{"go.mod", "pom.xml", "requirements.txt", "package.json"}[svc.lang])
	}
	return localize.Change{SHA: r.hex(40), Author: pick(r, people()), Service: svc.name, Message: message,
		Files: []localize.ChangedFile{{Path: file, Patch: hunk(fill.Replace(patch), line)}}}
}
