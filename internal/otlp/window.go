package otlp

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/telemetry"
)

// Window draws evidence on a log.
type Window struct {
	log  Log
	pack *packer
	o    WindowOptions
}

// WindowOptions configure a Window. The zero value of each field but Now means its default.
type WindowOptions struct {
	// Limits bound what one window (the incident, the baseline) may hold. Default of Spans: 2 million.
	Limits telemetry.Limits
	// MaxTraces bounds how many traces are looked at to find out when it began and which belong where; of more, a
	// share is looked at. Default 1 million.
	MaxTraces int
	// Now is the clock, required; After is its timer, by default time.After.
	Now   func() time.Time
	After func(time.Duration) <-chan time.Time
}

// NewWindow returns a window on a log.
func NewWindow(log Log, o WindowOptions) (*Window, error) {
	if o.Now == nil {
		return nil, errors.New("the telemetry window needs a clock")
	}
	if o.After == nil {
		o.After = time.After
	}
	o.Limits.Spans = cmp.Or(o.Limits.Spans, 2_000_000)
	o.MaxTraces = cmp.Or(o.MaxTraces, 1_000_000)
	pack, err := newPacker()
	if err != nil {
		return nil, err
	}
	return &Window{log, pack, o}, nil
}

// Draw says which part of the window a case wants.
type Draw struct {
	// Before and After bound what is drawn around the alert's start. Defaults 45 min and 10 min.
	Before, After time.Duration
	// Settle is how long to wait, at most, for telemetry that is still on its way. 0 means not at all.
	Settle time.Duration
	// Resolved is when the alert ended, zero while it fires; what comes after it is not drawn.
	Resolved time.Time
	// Sink is given what is drawn as it came, so that it can be kept; may be nil.
	Sink Sink
}

// Sink takes what is drawn, by window ("incident" or "baseline"). It does not keep what it is given.
type Sink interface {
	Traces(window string, td ptrace.Traces) error
	Logs(window string, ld plog.Logs) error
	Metrics(window string, md pmetric.Metrics) error
}

// The windows of a draw, named as the directories of an incident bundle are.
const (
	incidentWindow = "incident"
	baselineWindow = "baseline"
)

// The codes of notes about a draw, beside those of package telemetry.
const (
	NoteWindows  = "windows_drawn" // which times were drawn, and why those
	NoteSampled  = "sampled"       // spans of whole traces left out because there were too many
	NoteSettling = "not_settled"   // some senders had not sent what came after the window when the wait was over
	NoteShort    = "baseline_short"
)

// Evidence draws the telemetry of an incident that an alert dates at start, and of a healthy time before it.
//
// An alert dates the moment it fired. The symptom began earlier, by the "for" of its rule and by as much
// of its rate window as it took to pass the threshold. So the time before the alert is
// searched for the moment from which requests failed or were slow more often (onset.go), and the incident
// runs from shortly before it (five minutes before the alert where nothing is found) to now, to After beyond the
// alert, or to its end, whichever is first. The baseline is as long, at least five minutes, and ends a minute before the incident
// begins, so that what crept in is in neither; where an earlier stretch was clearly healthier, that is
// taken. Nothing earlier than Before before the alert is drawn.
//
// Whole traces are kept together: a trace belongs where it began, and one that began in the minute between belongs to the
// incident if it ran on into it. Records with the id of a trace go with it; everything else goes by its time.
//
// What was absent stands in Missing, what was left out or could not be waited for in the notes of the incident's
// dataset. Evidence without any telemetry is no error.
func (w *Window) Evidence(ctx context.Context, start time.Time, d Draw) (localize.Evidence, error) {
	d.Before = cmp.Or(d.Before, 45*time.Minute)
	d.After = cmp.Or(d.After, 10*time.Minute)
	now := w.o.Now()
	if start.After(now) {
		start = now // a clock ahead of ours
	}
	end := earliest(now, start.Add(d.After))
	if !d.Resolved.IsZero() && d.Resolved.After(start) {
		end = earliest(end, d.Resolved)
	}
	unsettled, err := w.settle(ctx, end, d.Settle)
	if err != nil {
		return localize.Evidence{}, err
	}
	s, err := w.survey(ctx, start.Add(-d.Before), end)
	if err != nil {
		return localize.Evidence{}, fmt.Errorf("survey the telemetry of the incident: %w", err)
	}
	p := s.plan(start, end, d.Before)
	ev, err := w.fill(ctx, s, p, d.Sink)
	if err != nil {
		return localize.Evidence{}, fmt.Errorf("draw the telemetry of the incident: %w", err)
	}
	notes := &ev.Incident.Notes
	*notes = append(*notes, telemetry.Note{Code: NoteWindows, Text: p.String(), Count: 1})
	if p.short != "" {
		*notes = append(*notes, telemetry.Note{Code: NoteShort, Text: p.short, Count: 1})
	}
	if s.thinned > 0 {
		*notes = append(*notes, telemetry.Note{Code: NoteSampled, Text: fmt.Sprintf("spans of whole traces were left out, since there were more than a window may hold; one trace in %d was kept", p.keepOneIn), Count: s.thinned})
	}
	if unsettled > 0 {
		*notes = append(*notes, telemetry.Note{Code: NoteSettling, Text: "services had sent nothing later than the window when it was drawn; what they sent last may be missing", Count: unsettled})
	}
	return ev, nil
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}

// each calls fn with every export of a signal that overlaps with the times.
func (w *Window) each(ctx context.Context, signal telemetry.Signal, from, to time.Time, fn func(export) error) error {
	return w.log.Range(ctx, string(signal), from, to, func(payload []byte) error {
		e, err := w.pack.unpack(signal, payload)
		if err != nil {
			return err
		}
		return fn(e)
	})
}

// errFound ends a Range.
var errFound = errors.New("found")

// Oldest is when the oldest telemetry in the log begins, zero when there is none.
func (w *Window) Oldest(ctx context.Context) (time.Time, error) {
	var oldest time.Time
	for _, signal := range []telemetry.Signal{telemetry.Traces, telemetry.Logs, telemetry.Metrics} {
		var first uint64
		err := w.each(ctx, signal, time.Unix(0, 0), w.o.Now().Add(ahead), func(e export) error {
			first = e.sift(boundsAt(w.o.Now(), 100*365*24*time.Hour)).from
			return errFound
		})
		if err != nil && !errors.Is(err, errFound) {
			return time.Time{}, err
		}
		if first > 0 && (oldest.IsZero() || moment(first).Before(oldest)) {
			oldest = moment(first)
		}
	}
	return oldest, nil
}
