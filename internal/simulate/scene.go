package simulate

import (
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/remediator/remediator/localize"
)

// plan is what goes wrong in a system, when, and what is true about it.
type plan struct {
	timed   []timed      // what happens in the incident
	both    []func(*run) // how the world is in both windows
	truth   Truth
	culprit *localize.Change
	deploy  *localize.Deploy
	deploys []localize.Deploy
	flags   []localize.FlagChange
	none    bool // nothing is wrong, so nothing has to show
}

type timed struct {
	at time.Time
	do func(*run)
}

// scene is where a fault is prepared: a system, the times, and the plan so far.
type scene struct {
	sys   *system
	r     random
	mixed int64 // seed of this attempt
	plan  *plan
	from  time.Time // of the incident's window
	onset time.Time
	alert time.Time
	to    time.Time
}

// fault is one way in which systems fail.
type fault struct {
	name   string
	class  string // code, resource, configuration, external, data, partial, absence, none
	weight float64
	// apply prepares it; false when this system has no place for it.
	apply func(s *scene) bool
}

// at lets something happen in the incident, so many seconds after the onset.
func (s *scene) at(seconds float64, do func(x *run)) {
	s.plan.timed = append(s.plan.timed, timed{s.onset.Add(time.Duration(seconds * float64(time.Second))), do})
}

// target draws a handler that is busy enough to be noticed and that fits.
func (s *scene) target(fits func(op *operation) bool) *operation {
	var ops []*operation
	var weights []float64
	for _, svc := range s.sys.services {
		for _, op := range svc.ops {
			if op.rate >= 0.08*s.sys.rate && op.rate*s.sys.sampling*s.to.Sub(s.onset).Seconds() >= 12 && fits(op) {
				ops = append(ops, op)
				weights = append(weights, math.Sqrt(op.rate))
			}
		}
	}
	if len(ops) == 0 {
		return nil
	}
	return ops[s.r.weighted(weights)]
}

// step draws a step of some handler that fits.
func (s *scene) step(fits func(op *operation, st *step) bool) (*operation, *step) {
	type found struct {
		op *operation
		st *step
	}
	var all []found
	var weights []float64
	s.sys.each(func(op *operation, st *step) {
		if op.rate*st.prob >= 0.08*s.sys.rate && op.rate*s.sys.sampling*s.to.Sub(s.onset).Seconds() >= 12 && fits(op, st) {
			all = append(all, found{op, st})
			weights = append(weights, math.Sqrt(op.rate))
		}
	})
	if len(all) == 0 {
		return nil, nil
	}
	f := all[s.r.weighted(weights)]
	return f.op, f.st
}

// swap replaces a step of a handler by one that decides itself which of the two is done.
func swap(st *step, alt func(f *frame, was *step) *step) {
	was := *st
	st.alt = func(f *frame) *step {
		other := alt(f, &was)
		if other != nil {
			other.alt = nil
		}
		return other
	}
}

// trap puts a step into a handler, after its first work, that may end the request.
func trap(op *operation, fail func(f *frame) *failure) {
	at := min(1, len(op.steps))
	if n := len(op.steps); n > 2 && op.line%2 == 0 {
		at = n - 1
	}
	steps := append([]*step{}, op.steps[:at]...)
	steps = append(steps, &step{kind: stepWork, prob: 1, fail: fail})
	op.steps = append(steps, op.steps[at:]...)
}

// burden puts a step into a handler that does nothing until alt gives it something to do.
func burden(op *operation, alt func(f *frame) *step) {
	at := min(1, len(op.steps))
	steps := append([]*step{}, op.steps[:at]...)
	steps = append(steps, &step{kind: stepWork, prob: 1, alt: alt})
	op.steps = append(steps, op.steps[at:]...)
}

// blame makes a commit the culprit: its message and patch tell the recipe's story about the handler; it is rolled out
// just before the onset.
func (s *scene) blame(op *operation, rc recipe, peer string, when time.Duration) {
	svc := op.svc
	sha := s.r.hex(40)
	lang := svc.lang
	line := op.line + s.r.int(4, 25)
	file := op.file
	patch := rc.patch[lang]
	if patch == "" {
		patch = rc.patch[golang]
	}
	if rc.config {
		file = s.configPath(svc)
		line = s.r.int(5, 60)
	}
	fill := s.words(op, peer)
	text := hunk(fill.Replace(patch), line)
	deployed := s.onset.Add(-when)
	s.plan.culprit = &localize.Change{
		SHA: sha, Time: deployed.Add(-time.Duration(s.r.spread(3, 200) * float64(time.Minute))).Truncate(time.Second), Author: pick(s.r, people()),
		Service: svc.name, Message: fill.Replace(pick(s.r, rc.messages)), Files: []localize.ChangedFile{{Path: file, Patch: text}},
	}
	if s.r.chance(0.4) && !rc.config {
		s.plan.culprit.Files = append(s.plan.culprit.Files, localize.ChangedFile{Path: testPath(file)})
	}
	s.plan.deploy = &localize.Deploy{Time: deployed.Truncate(time.Second), Service: svc.name, SHA: sha, Version: bump(svc.version)}
	t := &s.plan.truth
	t.Kind, t.Service, t.Commit, t.File = "change", svc.name, sha, file
	t.Files = []string{file}
	t.Lines = [2]int{line, line + strings.Count(text, "\n")}
	t.Region = op.fn
}

// roll replaces the pods of a service by those of the culprit's version, a canary's share of them only where less.
func (s *scene) roll(svc *service, when time.Duration, pods int) {
	d := s.plan.deploy
	s.at(-when.Seconds(), func(x *run) {
		x.rollOut(svc, d.Version, d.SHA, func(p *pod) { p.bad = true }, pods)
	})
}

// lately is how long before the onset a roll-out begins that is felt at once.
func (s *scene) lately() time.Duration {
	return time.Duration(s.r.between(5, 20) * float64(time.Second))
}

// code is a fault of a handler by a commit: blame, roll out and say where it fails.
func (s *scene) code(op *operation, name, peer string) recipe {
	rc := recipeOf(name)
	when := s.lately()
	s.blame(op, rc, peer, when)
	s.roll(op.svc, when, 99)
	return rc
}

func (s *scene) exception(op *operation, rc recipe, peer string) func() *failure {
	lang := op.svc.lang
	fill := s.words(op, peer)
	typ, msg, line := rc.typ[lang], fill.Replace(rc.msg[lang]), s.plan.truth.Lines[0]+s.r.int(1, 3)
	fn := ""
	if s.r.chance(0.5) {
		fn = map[language]string{golang: "build" + op.thing, java: "to" + op.thing + "View", python: "_map_" + snake(op.thing), node: "to" + op.thing}[lang]
	}
	return func() *failure { return &failure{kind: failException, typ: typ, msg: msg, line: line, fn: fn} }
}

// share draws a range of requests that a fault concerns.
func (s *scene) share(least, most float64) func(rq *request) bool {
	width := s.r.between(least, most)
	low := s.r.between(0, 1-width)
	return func(rq *request) bool { return rq.class >= low && rq.class < low+width }
}

func (s *scene) words(op *operation, peer string) *strings.Replacer {
	thing := op.thing
	return strings.NewReplacer("{Thing}", thing, "{thing}", lowerFirst(thing), "{things}", plural(lowerFirst(thing)), "{Things}", plural(thing), "{s_thing}", snake(thing),
		"{table}", plural(snake(thing)), "{Name}", op.name, "{fn}", op.fn, "{peer}", peer, "{Peer}", title(peer), "{lpeer}", lowerFirst(title(peer)), "{sname}", snake(op.name), "{svc}", op.svc.name, "{route}", op.route)
}

// configPath is the file of a service's settings.
func (s *scene) configPath(svc *service) string {
	switch svc.index % 3 {
	case 0:
		return "deploy/" + svc.name + "/values.yaml"
	case 1:
		return svc.dir + "/config/production.yaml"
	}
	return "k8s/overlays/prod/" + svc.name + ".yaml"
}

func testPath(file string) string {
	dot := strings.LastIndexByte(file, '.')
	switch file[dot:] {
	case ".go":
		return file[:dot] + "_test.go"
	case ".java":
		return strings.Replace(file[:dot], "src/main", "src/test", 1) + "Test.java"
	case ".py":
		slash := strings.LastIndexByte(file, '/')
		return file[:slash+1] + "test_" + file[slash+1:]
	}
	return file[:dot] + ".test" + file[dot:]
}

func bump(version string) string {
	var a, b, c int
	if _, err := fmt.Sscanf(version, "%d.%d.%d", &a, &b, &c); err != nil {
		return version + "-1"
	}
	return fmt.Sprintf("%d.%d.%d", a, b+1, 0)
}

// hunk gives a body of context, - and + lines its header.
func hunk(body string, line int) string {
	body = strings.Trim(body, "\n")
	was, is := 0, 0
	for _, l := range strings.Split(body, "\n") {
		switch {
		case strings.HasPrefix(l, "-"):
			was++
		case strings.HasPrefix(l, "+"):
			is++
		default:
			was++
			is++
		}
	}
	return fmt.Sprintf("@@ -%d,%d +%d,%d @@\n%s\n", line, was, line, is, body)
}

// external says that the cause lies outside of what anybody here changed.
func (s *scene) external(svc string) {
	t := &s.plan.truth
	t.Kind, t.Service, t.Commit = "external", svc, "none"
}

// resource says that a service lacked something.
func (s *scene) resource(svc, metric string) {
	t := &s.plan.truth
	t.Kind, t.Service, t.Commit, t.Metric = "resource", svc, "none", metric
}
