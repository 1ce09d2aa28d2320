package dockettest

import (
	"errors"
	"sync"
)

// ErrDied is what everything returns to a process that was killed.
var ErrDied = errors.New("the process was killed")

// Process is one user of the fakes. Everything it does that lasts (a write, a call to the forge, an
// acknowledged task) is a step, and it can be killed right before or right after the effect of any step: from then
// on nothing that it does has an effect.
type Process struct {
	mu    sync.Mutex
	steps []string
	at    int // the step to die at; -1 for never
	after bool
	dead  bool
	// OnDeath is called once when the process dies, such as to cancel its context.
	OnDeath func()
	// Fail may return an error in place of a step's effect, or, if done, after it. The process lives on.
	Fail func(step string, done bool) error
}

// NewProcess returns a process that lives.
func NewProcess() *Process { return &Process{at: -1} }

// KillAt makes the process die at its step n, counted from 0: before the effect, or after it.
func (p *Process) KillAt(n int, after bool) { p.at, p.after = n, after }

// Steps are the names of the steps done so far.
func (p *Process) Steps() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.steps...)
}

// Dead says whether the process was killed.
func (p *Process) Dead() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.dead
}

// Kill ends the process now.
func (p *Process) Kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.die()
}

func (p *Process) die() error {
	p.dead = true
	if p.OnDeath != nil {
		p.OnDeath()
	}
	return ErrDied
}

// alive is for what only reads.
func (p *Process) alive() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return ErrDied
	}
	return nil
}

// step does something that lasts. Steps of one process happen one at a time.
func (p *Process) step(name string, effect func() error) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.dead {
		return ErrDied
	}
	n := len(p.steps)
	p.steps = append(p.steps, name)
	if n == p.at && !p.after {
		return p.die()
	}
	if p.Fail != nil {
		if err := p.Fail(name, false); err != nil {
			return err
		}
	}
	err := effect()
	if n == p.at {
		return p.die()
	}
	if err == nil && p.Fail != nil {
		err = p.Fail(name, true)
	}
	return err
}
