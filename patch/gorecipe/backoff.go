package gorecipe

import (
	"fmt"
	"math"
	"time"
)

// backoff is how long to wait between attempts: before retry k (from 1) a time drawn evenly from
// [d/2, d] with d = min(Base·2^(k-1), Limit). This is "equal jitter" of M. Brooker, "Exponential
// Backoff And Jitter" (AWS Architecture Blog, 2015): unlike full jitter it keeps a minimum, and the
// minimum is what has to last as long as the outage. Site Reliability Engineering (Beyer et al., 2016),
// chapter 22, says why the waits must grow, vary and end.
type backoff struct {
	Base, Limit time.Duration
	Retries     int           // waits between attempts
	Outage      time.Duration // the one to outlast, 0 if unknown
	Longest     time.Duration // the longest one seen, where Outage is a shorter one
	Budget      time.Duration // of the caller, for all waits together
	budgetFrom  string
	assumed     bool // the number of attempts is not in the source
}

const (
	// outageMargin is how much longer than the longest outage seen the shortest waits have to last.
	outageMargin = 1.25
	// defaultBudget bounds the waits where no deadline of a caller is in sight: about what a person waits
	// for a page.
	defaultBudget = 10 * time.Second
	// defaultBase is the first wait where telemetry shows no outage to outlast.
	defaultBase = 100 * time.Millisecond
	minBase     = 10 * time.Millisecond
)

// plan chooses the smallest round base whose shortest waits outlast the outage, and the largest that fits
// the budget when none does.
func (b *backoff) plan() {
	if b.Retries < 1 {
		b.Retries = 1
	}
	need := time.Duration(outageMargin * float64(b.Outage))
	b.Base, b.Limit = 0, 0
	for _, base := range roundDurations() {
		c := *b
		c.setBase(base)
		if c.longest() > b.Budget && b.Base > 0 {
			break // the budget is spent; what fitted last stays
		}
		*b = c
		if b.Outage == 0 && base >= defaultBase || b.Outage > 0 && c.shortest() >= need {
			break
		}
	}
}

func (b *backoff) setBase(base time.Duration) {
	b.Base = base
	b.Limit = base << min(b.Retries-1, 5)
}

// wait is the longest wait before retry k.
func (b *backoff) wait(k int) time.Duration {
	if k > 20 {
		return b.Limit
	}
	return min(b.Base<<(k-1), b.Limit)
}

// longest is the sum of all waits when chance is against the caller, shortest when it is for it.
func (b *backoff) longest() (sum time.Duration) {
	for k := 1; k <= b.Retries; k++ {
		sum += b.wait(k)
	}
	return sum
}

func (b *backoff) shortest() time.Duration { return b.longest() / 2 }

func (b *backoff) covers() bool {
	return b.shortest() >= time.Duration(outageMargin*float64(b.Outage))
}

// risk says what the waits do not reach, "" when they reach what was asked.
func (b *backoff) risk() string {
	if b.covers() && b.Longest > 0 {
		return fmt.Sprintf("the %d waits last at least %s, which covers 95 %% of the outages seen; the longest lasted %s, and more would not fit into the %s %s",
			b.Retries, round(b.shortest()), round(b.Longest), round(b.Budget), b.budgetFrom)
	}
	if b.covers() {
		return ""
	}
	return fmt.Sprintf("the %d waits last at least %s; the longest outage seen lasted %s, and more would not fit into the %s %s",
		b.Retries, round(b.shortest()), round(b.Outage), round(b.Budget), b.budgetFrom)
}

// roundDurations are 10, 15, 20, 25, 30, 40, 50, 60, 80 times each power of ten from 10 ms to about a minute.
func roundDurations() []time.Duration {
	var out []time.Duration
	for unit := minBase / 10; unit <= 10*time.Second; unit *= 10 {
		for _, n := range []time.Duration{10, 12, 15, 20, 25, 30, 40, 50, 60, 80} {
			if d := n * unit; d <= time.Minute {
				out = append(out, d)
			}
		}
	}
	return out
}

// roundUp is the next round duration.
func roundUp(d time.Duration) time.Duration {
	for _, r := range roundDurations() {
		if r >= d {
			return r
		}
	}
	return d
}

// seconds turns a measured number of seconds into a duration.
func seconds(v float64) time.Duration {
	if v <= 0 || math.IsNaN(v) || v > 1e6 {
		return 0
	}
	return time.Duration(v * float64(time.Second))
}

// round shortens a duration for people.
func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(time.Second / 10)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	}
	return d.Round(time.Millisecond)
}

// literal writes a duration as Go source, with the name of package time given.
func literal(d time.Duration, pkg string) string {
	for _, u := range []struct {
		d    time.Duration
		name string
	}{{time.Minute, "Minute"}, {time.Second, "Second"}, {time.Millisecond, "Millisecond"}, {time.Microsecond, "Microsecond"}} {
		if d%u.d == 0 {
			if d == u.d {
				return pkg + "." + u.name
			}
			return fmt.Sprintf("%d*%s.%s", d/u.d, pkg, u.name)
		}
	}
	return fmt.Sprintf("%d*%s.Nanosecond", d, pkg)
}
