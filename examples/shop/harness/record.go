package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/examples/shop"
	goldentraces "github.com/remediator/remediator/testdata/golden-traces"
)

// timing is how long the parts of a recording take.
type timing struct {
	warmUp   time.Duration
	baseline time.Duration
	incident time.Duration
}

// stage is everything that runs during a recording.
type stage struct {
	log       *slog.Logger
	work      string
	history   shop.History
	builder   builder
	mesh      *mesh
	bank      *bank
	collector *collector
	fleet     *fleet
	seen      *scoreboard
	metrics   string // address of the scoreboard
	customers *customers
	deploys   []deploy
	flags     []flagChange
}

// setUp builds the history of a scenario up to a patch ("" for all of it) with the golden sets at
// hand, and opens the stage; services come with deploy.
func setUp(ctx context.Context, log *slog.Logger, work, python, scenario string, golden fs.FS, last string, first conditions) (*stage, error) {
	s := &stage{log: log, work: work, mesh: newMesh(), bank: newBank(first.Bank), collector: &collector{}, seen: newScoreboard()}
	repo := filepath.Join(work, "repository")
	var err error
	if s.history, err = shop.BuildFrom(repo, scenario, golden, last); err != nil {
		return nil, err
	}
	s.builder = builder{repo: repo, work: work}

	proxy, err := serve(ctx, s.mesh)
	if err != nil {
		return nil, err
	}
	bankAddr, err := serve(ctx, s.bank)
	if err != nil {
		return nil, err
	}
	s.mesh.route("bank:8090", bankAddr)
	otlp, err := serve(ctx, s.collector)
	if err != nil {
		return nil, err
	}
	if s.metrics, err = serve(ctx, s.seen); err != nil {
		return nil, err
	}
	s.fleet = &fleet{mesh: s.mesh, proxy: proxy, otlp: "http://" + otlp, python: python,
		serial: make(map[string]int), instances: make(map[string]*instance)}
	s.customers = newCustomers(proxy, s.seen, first.Load)
	return s, nil
}

// enact brings conditions about.
func (s *stage) enact(c conditions) {
	s.bank.set(c.Bank)
	s.mesh.setFault(c.Fault)
	s.customers.set(c.Load)
}

// roll deploys a build and notes the fact as a deployment system would.
func (s *stage) roll(ctx context.Context, b build, names ...string) error {
	s.log.Info("deploying", "commit", b.sha[:7], "services", names)
	if err := s.fleet.deploy(ctx, b, names...); err != nil {
		return err
	}
	for _, svc := range services {
		if len(names) == 0 || contains(names, svc.name) {
			s.deploys = append(s.deploys, deploy{Time: time.Now().UTC().Truncate(time.Millisecond), Service: svc.name, SHA: b.sha, Version: b.version})
		}
	}
	return nil
}

func contains(names []string, name string) bool {
	for _, n := range names {
		if n == name {
			return true
		}
	}
	return false
}

// record acts a scenario out and writes what was seen to out.
func record(ctx context.Context, log *slog.Logger, scenario shop.Scenario, python, out string, t timing) (err error) {
	p, ok := plays()[scenario.Name]
	if !ok {
		return fmt.Errorf("scenario %q has no play", scenario.Name)
	}
	if _, _, err := programs(); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "shop")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()

	s, err := setUp(ctx, log, work, python, scenario.Name, goldentraces.Files, "", p.Before)
	if err != nil {
		return err
	}
	base, head, err := s.builds(ctx, scenario)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.fleet.stop()) }()
	if err := s.roll(ctx, base); err != nil {
		return err
	}
	s.deploys = nil // setting the stage is not part of the story

	var busy sync.WaitGroup
	shopping, goHome := context.WithCancel(ctx)
	defer func() { goHome(); busy.Wait() }()
	busy.Go(func() { s.customers.run(shopping) })

	var alarm *alarm
	sound := func() (err error) {
		alarm, err = startAlarm(ctx, work, s.metrics, p.Objective)
		return err
	}
	if !scenario.Healthy && p.Objective.Latency == 0 {
		if err := sound(); err != nil {
			return err
		}
		defer alarm.stop()
	}
	s.log.Info("warming up", "for", t.warmUp)
	if err := pass(ctx, t.warmUp); err != nil {
		return err
	}
	_, counted := s.seen.take(nil)
	before := window{from: time.Now()}
	s.log.Info("recording the baseline", "for", t.baseline)
	if err := pass(ctx, t.baseline); err != nil {
		return err
	}
	before.to = time.Now()
	if !scenario.Healthy && p.Objective.Latency > 0 {
		// How fast the shop is depends on the machine it runs on; what was promised is a multiple of
		// what it keeps when all is well.
		p.Objective.Latency = max(p.Objective.Latency, 2*s.seen.p95(p.Objective.Route).Seconds())
	}
	counted = s.tell("baseline", counted)

	// The turn.
	if p.Deploy {
		if err := s.roll(ctx, head); err != nil {
			return err
		}
	}
	if p.Flag != "" {
		s.flags = append(s.flags, flagChange{Time: time.Now().UTC().Truncate(time.Millisecond), Flag: p.Flag, Service: p.FlagService, Change: "on", Actor: p.FlagActor})
	}
	if alarm != nil {
		select {
		case <-alarm.raised:
			return fmt.Errorf("%s was raised before anything was wrong", p.Objective.Alert)
		default:
		}
	}
	s.enact(p.After)
	after := window{from: time.Now()}
	if alarm == nil {
		if err := sound(); err != nil {
			return err
		}
		defer alarm.stop()
	}
	s.log.Info("recording the incident", "for", t.incident)
	if err := pass(ctx, t.incident/2); err != nil {
		return err
	}
	if len(p.Midway) > 0 {
		b := base
		if p.MidwayHead {
			b = head
		}
		for _, name := range p.Midway {
			if err := s.roll(ctx, b, name); err != nil {
				return err
			}
		}
	}
	if err := pass(ctx, time.Until(after.from.Add(t.incident))); err != nil {
		return err
	}
	after.to = time.Now()
	s.tell("incident", counted)
	var alert []byte
	select {
	case alert = <-alarm.raised:
	case <-time.After(10 * time.Second):
		return fmt.Errorf("%s was not raised: the fault did not show", p.Objective.Alert)
	}

	goHome()
	busy.Wait()
	if err := s.fleet.stop(); err != nil {
		return err
	}
	homes, err := pythonHomes(ctx, python)
	if err != nil {
		return err
	}
	return s.write(out, p, scenario, alert, before, after, homes)
}

// builds compiles the commit of the baseline and the head.
func (s *stage) builds(ctx context.Context, scenario shop.Scenario) (base, head build, err error) {
	commits := s.history.Commits
	tip := commits[len(commits)-1]
	s.log.Info("building", "commit", tip.SHA[:7], "title", tip.Title())
	if head, err = s.builder.build(ctx, tip); err != nil {
		return build{}, build{}, err
	}
	if scenario.Baseline == "" {
		return head, head, nil
	}
	before, ok := s.history.Commit(scenario.Baseline)
	if !ok {
		return build{}, build{}, fmt.Errorf("scenario %q has no commit %q", scenario.Name, scenario.Baseline)
	}
	s.log.Info("building", "commit", before.SHA[:7], "title", before.Title())
	base, err = s.builder.build(ctx, before)
	return base, head, err
}

// tell logs what customers saw in a window.
func (s *stage) tell(name string, since map[[2]string]int) map[[2]string]int {
	lines, now := s.seen.take(since)
	for _, line := range lines {
		s.log.Info(name + ": " + line)
	}
	return now
}

// pass lets time go by.
func pass(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// machineFree replaces the directories of this machine in recorded text: checkouts, the working
// directory, and where Python is installed (its environment and what that was made from).
func machineFree(work string, python []string, builds ...build) func([]byte) []byte {
	return func(text []byte) []byte {
		for _, b := range builds {
			text = bytes.ReplaceAll(text, []byte(b.dir), []byte("/srv/shop"))
		}
		for _, dir := range python {
			text = bytes.ReplaceAll(text, []byte(dir+"/"), []byte("/usr/"))
		}
		return bytes.ReplaceAll(text, []byte(work), []byte("/srv"))
	}
}

// pythonHomes are the directories an interpreter loads modules from.
func pythonHomes(ctx context.Context, python string) ([]string, error) {
	out, err := exec.CommandContext(ctx, python, "-c", "import sys; print(sys.prefix); print(sys.base_prefix)").Output()
	if err != nil {
		return nil, fmt.Errorf("ask %s where it is installed: %w", python, err)
	}
	return strings.Fields(string(out)), nil
}
