package sources

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// WindowSettings bound the windows around an alert.
type WindowSettings struct {
	Lead     time.Duration // before the alert's start
	Length   time.Duration // of the incident window at most
	Lookback time.Duration // how far back a healthy window is looked for
}

// Disturbance is a stretch of time in which something made the services behave unlike they usually do: another
// alert, or a roll-out.
type Disturbance struct {
	From, To time.Time
	What     string // for people: "alert HighLatency", "deployment of orders"
	// Own says that it is the incident's own alert at another time: such a stretch is never healthy.
	Own bool
	// Minor says that it is about another service than the alert; it is put up with where nothing better is left.
	Minor bool
}

// Facts are all that the choice of windows depends on.
type Facts struct {
	StartsAt time.Time // of the alert
	EndsAt   time.Time // zero while it fires
	Now      time.Time
	Settings WindowSettings
	// Disturbances in the time looked back on, in any order.
	Disturbances []Disturbance
	// Lacking are windows of which a server that has the incident has nothing, with its name.
	Lacking []Lack
	// Unknown says what could not be asked: "alerts", "deployments".
	Unknown []string
}

// Lack is a window that a server knows nothing of.
type Lack struct {
	Window Window
	Server string
}

// Choice is the incident window, the healthy one, and why it is that one.
type Choice struct {
	Incident Window
	Baseline Window // zero where there is none
	// Reason is the choice in words, with what was passed over and why.
	Reason string
}

// NoBaseline says that no healthy window was found.
func (c Choice) NoBaseline() bool { return c.Baseline.From.IsZero() }

const (
	week = 7 * 24 * time.Hour
	// leastLength is what a window has to have: a minute is four scrapes at the usual interval.
	leastLength = time.Minute
	// tail is how much is taken of the time after an alert that ended: what began the recovery shows there.
	tail = 2 * time.Minute
	// leastBaseline is the shortest stretch that is compared with, where the incident's own length is not free.
	leastBaseline = 5 * time.Minute
	// rollout is how long a roll-out is felt: caches are cold and pools empty for about as long as Kubernetes gives a
	// deployment to progress (progressDeadlineSeconds, 600 s).
	rollout = 10 * time.Minute
	// prelude of a roll-out: it is often noted when it is done.
	prelude = 2 * time.Minute
)

// ChooseWindows chooses the incident's window and the healthy one to compare it with. The healthy one is as long as
// the incident's where that can be had, and is the first of these in which nothing disturbs and that every
// server has: the same weekday and hour a week before, the same hour a day before, the latest undisturbed stretch
// before the incident. Where all are disturbed, disturbances of other services are put up with, and said.
func ChooseWindows(f Facts) Choice {
	c := Choice{Incident: f.incident()}
	var passed []string
	for _, lenient := range []bool{false, true} {
		for _, cand := range f.candidates(c.Incident, lenient) {
			w, why := cand.Window, ""
			for _, d := range f.Disturbances {
				if overlap(w, Window{d.From, d.To}) && (!lenient || !d.Minor) {
					why = d.What
					break
				}
			}
			if why == "" {
				why = f.lacking(w)
			}
			if why != "" {
				if text := cand.name + " (" + why + ")"; !slices.Contains(passed, text) {
					passed = append(passed, text)
				}
				continue
			}
			c.Baseline = w
			c.Reason = f.explain(cand, passed, lenient)
			return c
		}
	}
	c.Reason = "no healthy window: " + orNothing(passed) + "; widen sources.window.lookback, or keep telemetry longer"
	return c
}

func orNothing(passed []string) string {
	if len(passed) == 0 {
		return "nothing to compare with within the time looked back on"
	}
	return "passed over " + strings.Join(passed, ", ")
}

// incident is the window of the alert, cut to the present.
func (f Facts) incident() Window {
	w := Window{From: f.StartsAt.Add(-f.Settings.Lead), To: f.Now}
	if !f.EndsAt.IsZero() && f.EndsAt.After(f.StartsAt) {
		w.To = earlier(f.EndsAt.Add(tail), f.Now)
	}
	if limit := w.From.Add(f.Settings.Length); w.To.After(limit) {
		// The beginning tells more than the end: what went wrong first is there.
		w.To = later(limit, f.StartsAt.Add(leastLength))
	}
	if least := w.From.Add(leastLength); w.To.Before(least) {
		w.To = least
	}
	return Window{w.From.Truncate(time.Millisecond), w.To.Truncate(time.Millisecond)}
}

type candidate struct {
	Window
	name string
}

// candidates are the windows that may be healthy, the best first.
func (f Facts) candidates(in Window, lenient bool) []candidate {
	oldest := f.StartsAt.Add(-f.Settings.Lookback)
	var out []candidate
	for _, back := range []struct {
		d    time.Duration
		name string
	}{{week, "the same weekday and hour a week before"}, {24 * time.Hour, "the same hour a day before"}} {
		w := Window{in.From.Add(-back.d), in.To.Add(-back.d)}
		if !w.From.Before(oldest) && !w.To.After(in.From) {
			out = append(out, candidate{w, back.name})
		}
	}
	length := in.To.Sub(in.From)
	stretches := f.free(Window{oldest, in.From}, lenient)
	right := Window{in.From.Add(-length), in.From}
	if !right.From.Before(oldest) {
		out = append(out, candidate{right, "the stretch right before the incident"})
	}
	// The latest stretches that are long enough, then the longest of those that are not.
	best := Window{}
	for _, s := range slices.Backward(stretches) {
		if s.To.Sub(s.From) >= length {
			out = append(out, candidate{Window{s.To.Add(-length), s.To}, "the latest undisturbed stretch before the incident"})
		} else if s.To.Sub(s.From) > best.To.Sub(best.From) {
			best = s
		}
	}
	if best.To.Sub(best.From) >= leastBaseline {
		out = append(out, candidate{best, "the longest undisturbed stretch before the incident"})
	}
	return out
}

// free are the stretches of a window that nothing disturbs and every server has, in order of time.
func (f Facts) free(w Window, lenient bool) []Window {
	if !w.To.After(w.From) {
		return nil
	}
	var busy []Window
	for _, d := range f.Disturbances {
		if !lenient || !d.Minor {
			busy = append(busy, Window{d.From, d.To})
		}
	}
	for _, l := range f.Lacking {
		busy = append(busy, l.Window)
	}
	slices.SortFunc(busy, func(a, b Window) int {
		if c := a.From.Compare(b.From); c != 0 {
			return c
		}
		return a.To.Compare(b.To)
	})
	var out []Window
	at := w.From
	for _, b := range busy {
		if from := earlier(b.From, w.To); from.After(at) {
			out = append(out, Window{at, from})
		}
		at = later(at, b.To)
		if !at.Before(w.To) {
			return out
		}
	}
	return append(out, Window{at, w.To})
}

func (f Facts) lacking(w Window) string {
	for _, l := range f.Lacking {
		if overlap(w, l.Window) {
			return l.Server + " has nothing of it"
		}
	}
	return ""
}

func (f Facts) explain(c candidate, passed []string, lenient bool) string {
	text := fmt.Sprintf("compared with %s, %s to %s", c.name, stamp(c.From), stamp(c.To))
	if lenient {
		var put []string
		for _, d := range f.Disturbances {
			if overlap(c.Window, Window{d.From, d.To}) && !slices.Contains(put, d.What) {
				put = append(put, d.What)
			}
		}
		if len(put) > 0 {
			text += "; it holds " + strings.Join(put[:min(len(put), 5)], ", ") + ", which no other window is free of either"
		}
	}
	if len(passed) > 0 {
		text += "; passed over " + strings.Join(passed, ", ")
	}
	if len(f.Unknown) > 0 {
		text += "; not known whether it is free of " + strings.Join(f.Unknown, " and ")
	}
	return text
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

func overlap(a, b Window) bool { return a.From.Before(b.To) && b.From.Before(a.To) }

func earlier(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

func later(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
