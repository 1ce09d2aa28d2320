package localize

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// thrown is one kind of exception at one service.
type thrown struct {
	service, typ, message string
	op                    int32
	cur, base             float64
	frames                []frame
}

// findExceptions gathers exceptions from span events and log records, and weighs those that
// became more frequent where they were thrown first: in the innermost span.
func (a *analysis) findExceptions() {
	byKey := map[string]*thrown{}
	see := func(service string, op int32, typ, message, stack string, current bool) {
		message = strings.Join(tokenize(message), " ")
		frames := ownFrames(parseStack(stack))
		place := ""
		if len(frames) > 0 {
			place = frames[0].File + ":" + strconv.Itoa(frames[0].Line) + frames[0].Function
		}
		key := service + "\x00" + typ + "\x00" + place
		if place == "" {
			key += shorten(message, 60)
		}
		x := byKey[key]
		if x == nil {
			if len(byKey) > 5000 {
				return
			}
			x = &thrown{service: service, typ: typ, message: shorten(message, 200), op: op, frames: frames}
			byKey[key] = x
		}
		if current {
			x.cur++
		} else {
			x.base++
		}
	}
	thrownCur, thrownBase := both(a, thrownLogs)
	for _, w := range []*window{a.base, a.cur} {
		records := thrownCur
		if w == a.base {
			records = thrownBase
		}
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for i, s := range tr.Spans {
				if !recs[i].facts.is(threw) || recs[i].outcome == refused || childThrew(tr, recs, i) {
					continue
				}
				e := s.Exception()
				see(s.Resource.Service, recs[i].op, e.Attrs.Get(telemetry.AttrExceptionType), e.Attrs.Get(telemetry.AttrExceptionMsg),
					e.Attrs.Get(telemetry.AttrExceptionStack), w == a.cur)
			}
		}
		for _, i := range records {
			l := &w.ds.Logs[i]
			typ, message, stack := l.Attrs.Get(telemetry.AttrExceptionType), l.Attrs.Get(telemetry.AttrExceptionMsg), l.Attrs.Get(telemetry.AttrExceptionStack)
			if typ == "" {
				typ, message = typeOfBody(l.Body)
			}
			if stack == "" {
				stack = l.Body
			}
			op := int32(-1)
			if k := w.links[i]; k.Span >= 0 && k.Tie == telemetry.BySpan {
				op = w.recs[k.Trace][k.Span].op
			}
			see(l.Resource.Service, op, typ, message, stack, w == a.cur)
		}
	}
	keys := make([]string, 0, len(byKey))
	for k := range byKey {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		x := byKey[k]
		z := zRate(x.cur, a.cur.seconds(), x.base, a.base.seconds())
		if x.base == 0 || a.base.empty() {
			z = max(z, math.Sqrt(x.cur)+0.5)
		}
		if x.cur == 0 || z < a.k.logs.z {
			continue
		}
		a.addException(x, a.k.logs.thrown.of(z))
	}
}

// thrownLogs lists the records of a window that tell of an exception.
func thrownLogs(w *window) (out []int) {
	for i := range w.ds.Logs {
		if isThrown(&w.ds.Logs[i]) {
			out = append(out, i)
		}
	}
	return out
}

func (a *analysis) addException(x *thrown, sure float64) {
	d := map[string]string{"type": x.typ, "message_template": x.message}
	where := ""
	if len(x.frames) > 0 {
		f := x.frames[0]
		d["file"], d["function"], d["namespace"] = f.File, f.Function, f.Namespace
		if f.Line > 0 {
			d["line"] = strconv.Itoa(f.Line)
		}
		if b, err := json.Marshal(x.frames[:min(len(x.frames), 12)]); err == nil {
			d["frames"] = string(b)
		}
		where = fmt.Sprintf(" at %s:%d in %s", f.File, f.Line, f.Function)
	}
	for k, v := range d {
		if v == "" {
			delete(d, k)
		}
	}
	text := fmt.Sprintf("%s is thrown %.0f times%s: %q", nonEmpty(x.typ, "an exception"), x.cur, where, shorten(x.message, 120))
	if x.base == 0 && !a.base.empty() && (a.comparesLogs() || len(a.cur.ds.Logs) == 0) {
		text += ", never when healthy"
	}
	c := a.board.of(x.service)
	c.pattern = append(c.pattern, Pattern{Kind: PatternException, Text: text, Detail: d, Values: map[string]float64{"count": x.cur}})
	// An exception that tells of a callee that failed is thrown by the victim.
	weight := a.k.weight.thrown * sure
	if isCallFailure(x.typ, x.message) {
		weight *= a.k.logs.callFailure
	}
	name := ""
	if x.op >= 0 {
		name = a.ops.list[x.op].name
	}
	a.board.addOp(x.service, name, "", x.op, Reason{Signal: "exception", Text: text, Value: x.cur, Baseline: x.base, Weight: weight})
	for n, f := range x.frames[:min(len(x.frames), 8)] {
		c.hints = append(c.hints, Hint{Kind: HintFrame, File: f.File, Line: f.Line, Function: f.Function, Namespace: f.Namespace,
			Weight: sure * math.Pow(0.8, float64(n))})
	}
}

// isCallFailure says that an exception only reports what a call brought back.
func isCallFailure(typ, message string) bool {
	t := strings.ToLower(typ + " " + message)
	for _, w := range []string{"timeout", "timed out", "deadline exceeded", "connection refused", "connecterror", "connection reset", "upstream", "httperror", "httpstatuserror", "unavailable", "bad gateway", "status 5", "returned 5", "httpserver", "resttemplate", "feignexception"} {
		if strings.Contains(t, w) {
			return true
		}
	}
	return false
}

// childThrew says that a child of span i carries an exception too: span i passed it on.
func childThrew(tr *telemetry.Trace, recs []spanRec, i int) bool {
	for _, c := range tr.Children(i) {
		if recs[c].facts.is(threw) {
			return true
		}
	}
	return false
}

// typeOfBody finds type and message of an exception in the text of a log record.
func typeOfBody(body string) (typ, message string) {
	line := body
	if strings.Contains(body, "Traceback (most recent call last)") {
		lines := strings.Split(strings.TrimSpace(body), "\n")
		line = lines[len(lines)-1]
	} else {
		line, _, _ = strings.Cut(body, "\n")
	}
	line = strings.TrimPrefix(strings.TrimSpace(line), "Uncaught ")
	if strings.HasPrefix(line, "panic: ") {
		return "panic", strings.TrimPrefix(line, "panic: ")
	}
	if t, m, ok := strings.Cut(line, ": "); ok && !strings.ContainsAny(t, " \t") && len(t) < 120 {
		return t, m
	}
	return "", line
}
