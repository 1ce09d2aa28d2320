package main

import (
	"fmt"
	"io"
	"time"
)

// sayEvery is how often progress is told: short measurements tell nothing.
const sayEvery = 10 * time.Second

// measuring tells how far the steps of a long measurement are.
type measuring struct {
	out         io.Writer
	now         func() time.Time
	step        string
	began, said time.Time
}

func newMeasuring(out io.Writer, now func() time.Time) *measuring {
	return &measuring{out: out, now: now, said: now()}
}

// tell notes that so many parts of a step are done, and says so now and then, with the time that the rest of the step
// takes if it goes on as it went so far.
func (p *measuring) tell(step string, done, of int) {
	at := p.now()
	if step != p.step {
		p.step, p.began = step, at
	}
	if at.Sub(p.said) < sayEvery {
		return
	}
	p.said = at
	left := ""
	if spent := at.Sub(p.began); done > 0 && spent > 0 {
		left = fmt.Sprintf(", about %s left", (spent * time.Duration(of-done) / time.Duration(done)).Round(time.Second))
	}
	fmt.Fprintf(p.out, "%s: %d of %d%s\n", step, done, of, left)
}
