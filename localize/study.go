package localize

import (
	"maps"
	"slices"

	"github.com/remediator/remediator/incident"
)

// Study is an incident and its evidence, looked at once to be ranked under many options. Its results are those
// of Rank, byte for byte; but each ranking begins at the first stage that reads what its options change, with what the
// stages before found under the published constants.
type Study struct {
	inc    incident.Incident
	ev     *Evidence
	order  map[string]int // stages by name
	starts map[string]int // stages by the first constant or option they read
	before []*analysis    // by stage, nil where nothing begins
}

// boardReader is the first stage that reads what the others put on the board. Up to there a signal that is left out
// differs in nothing but the board.
const boardReader = "shared"

// NewStudy ranks with the published constants and keeps the states in between. The evidence must not change afterwards.
func NewStudy(inc incident.Incident, ev Evidence) *Study {
	list := stages()
	s := &Study{inc: inc, ev: &ev, order: map[string]int{}, starts: map[string]int{}, before: make([]*analysis, len(list))}
	for i, st := range list {
		s.order[st.name] = i
	}
	begins := map[int]bool{s.order[boardReader]: true}
	for name, constants := range firstReaders() {
		begins[s.order[name]] = true
		for _, c := range constants {
			s.starts[c] = s.order[name]
		}
	}
	a := newAnalysis(inc, s.ev, Options{})
	a.board.keep = true
	for i, st := range list {
		if begins[i] && i > 0 {
			s.before[i] = a.fork(i)
		}
		if !st.within {
			st.do(a)
		}
	}
	return s
}

// start is the first stage that options matter to.
func (s *Study) start(opt Options) int {
	first := s.order["conclude"]
	at := func(name string) { first = min(first, s.starts[name]) }
	for name := range opt.Scale {
		at(name)
	}
	if opt.Spectrum != "" {
		at("Options.Spectrum")
	}
	if len(opt.Without) > 0 {
		first = min(first, s.order[boardReader])
	}
	return first
}

// Rank ranks under other options.
func (s *Study) Rank(opt Options) Result {
	first := s.start(opt)
	if s.before[first] == nil {
		return Rank(s.inc, *s.ev, opt)
	}
	a := s.before[first].fork(first)
	a.opt, a.k = opt.withDefaults(), newConstants(opt.Scale)
	a.board = a.board.replay(opt.Without, a.k)
	events := *a.events
	events.k = a.k
	a.events = &events
	for _, st := range stages()[first:] {
		st.do(a)
	}
	return a.result
}

// fork copies the state before a stage as far as that stage and those after it write to it.
func (a *analysis) fork(before int) *analysis {
	b := *a
	b.doubted, b.cut, b.breakTimes = slices.Clip(a.doubted), slices.Clip(a.cut), slices.Clip(a.breakTimes)
	b.raised, b.shifts, b.judged, b.services = slices.Clip(a.raised), slices.Clip(a.shifts), slices.Clip(a.judged), slices.Clip(a.services)
	b.directories, b.calledBy, b.hidden = maps.Clone(a.directories), maps.Clone(a.calledBy), maps.Clone(a.hidden)
	b.callees, b.calleeOps, b.answers, b.owed, b.slowed = maps.Clone(a.callees), maps.Clone(a.calleeOps), maps.Clone(a.answers), maps.Clone(a.owed), maps.Clone(a.slowed)
	b.silence, b.speakers, b.networkFit, b.unbounded = maps.Clone(a.silence), maps.Clone(a.speakers), maps.Clone(a.networkFit), maps.Clone(a.unbounded)
	b.blamedOps, b.peerFailed, b.peerSlowed, b.handling = maps.Clone(a.blamedOps), maps.Clone(a.peerFailed), maps.Clone(a.peerSlowed), maps.Clone(a.handling)
	b.countsCur, b.countsBase = maps.Clone(a.countsCur), maps.Clone(a.countsBase)
	b.board = a.board.kept()
	if a.places != nil {
		p := *a.places
		p.known, p.outside, p.lately = maps.Clone(p.known), maps.Clone(p.outside), &recent[peerKey, place]{}
		b.places = &p
	}
	if slices.ContainsFunc(stages()[before:], func(s stage) bool { return s.marks }) {
		b.cur, b.base = a.cur.fork(), a.base.fork()
	}
	return &b
}

// fork copies what marking requests writes to.
func (w *window) fork() *window {
	c := *w
	c.outcomes, c.async = slices.Clone(w.outcomes), slices.Clone(w.async)
	return &c
}

// kept is what a board that keeps its entries can be made from again.
func (b *board) kept() *board {
	c := &board{cases: make(map[string]*serviceCase, len(b.cases)), keep: true, log: slices.Clip(b.log)}
	for name, x := range b.cases {
		c.cases[name] = &serviceCase{service: name, hints: slices.Clip(x.hints), pattern: slices.Clip(x.pattern)}
	}
	return c
}

// replay enters everything again, without some signals.
func (b *board) replay(without []string, k *constants) *board {
	c := newBoard(without, k)
	for i := range b.log {
		e := &b.log[i]
		c.addOp(e.service, e.op, e.peer, e.id, e.reason)
	}
	for name, x := range b.cases {
		y := c.of(name)
		y.hints, y.pattern = x.hints, x.pattern
	}
	return c
}
