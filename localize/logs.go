package localize

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// warning and errorLevel are OTLP severity numbers.
const (
	warning    = 13
	errorLevel = 17
)

// logEvent is what log records of one shape have in common: they come from one statement in
// the code where the records say which, else from one template.
type logEvent struct {
	service   string
	template  int32
	severity  int
	namespace string // class, logger or file of the statement
	file      string
	line      int
	function  string
	thrown    bool // carries an exception or a stack
	sample    *telemetry.Log
	cur, base []int64 // times
	// Records of one request or one second are one episode: a request that writes the same line eighty
	// times is no eighty events.
	curEpisodes, baseEpisodes episodes
}

// text is the event in words.
func (e *logEvent) text(m *miner) string { return m.text(e.template) }

// place is the statement's place, "" when the records do not say it.
func (e *logEvent) place() string {
	where := e.namespace
	if where == "" {
		where = e.file
	}
	if where == "" || e.line == 0 {
		return ""
	}
	return fmt.Sprintf("%s:%d", where, e.line)
}

// eventLog numbers the log events of both windows.
type eventLog struct {
	k         *constants
	miner     *miner
	ids       map[eventKey]int32
	list      []logEvent
	cur, base []int32 // event of each record
}

// eventKey is what the records of one event share.
type eventKey struct {
	service         string
	template        int32
	severity        int
	namespace, file string
	line            int64
}

func newEventLog(cur, base *window, k *constants) *eventLog {
	l := &eventLog{k: k, miner: newMinerOf(k.logs.similarity), ids: map[eventKey]int32{}}
	l.base = l.add(base.ds.Logs, false)
	l.cur = l.add(cur.ds.Logs, true)
	return l
}

func (l *eventLog) add(logs []telemetry.Log, current bool) []int32 {
	out := make([]int32, len(logs))
	for i := range logs {
		r := &logs[i]
		service := r.Resource.Service
		tpl := l.miner.add(service, r.Body)
		namespace := r.Attrs.Get(telemetry.AttrCodeNamespace)
		file := r.Attrs.Get(telemetry.AttrCodeFile)
		line, _ := r.Attrs.Int(telemetry.AttrCodeLine)
		// Loggers of frameworks say the class; a line without any place says nothing.
		key := eventKey{template: tpl, severity: severityClass(r.Severity)}
		if l.miner.shared(tpl) {
			key.service = service
		}
		if line > 0 && (namespace != "" || file != "") {
			key = eventKey{service: service, namespace: namespace, file: file, line: line, template: -1}
		}
		id, ok := l.ids[key]
		if !ok {
			id = int32(len(l.list)) // bounded by the miner and the reader's limits
			l.ids[key] = id
			if namespace == "" {
				namespace = r.Scope
			}
			l.list = append(l.list, logEvent{service: service, template: tpl, namespace: namespace, file: file, line: int(line),
				function: r.Attrs.Get(telemetry.AttrCodeFunction), sample: r})
		}
		e := &l.list[id]
		e.severity = max(e.severity, r.Severity)
		if !e.thrown && isThrown(r) {
			e.thrown = true
			e.sample = r
		}
		if current {
			e.cur = append(e.cur, r.Time)
			e.curEpisodes.see(r)
		} else {
			e.base = append(e.base, r.Time)
			e.baseEpisodes.see(r)
		}
		out[i] = id
	}
	return out
}

func severityClass(n int) int { return (n + 3) / 4 }

// isThrown says that a record carries an exception or a stack.
func isThrown(r *telemetry.Log) bool {
	if r.Attrs.First(telemetry.AttrExceptionType, telemetry.AttrExceptionStack) != "" {
		return true
	}
	b := r.Body
	return strings.HasPrefix(b, "panic:") || strings.Contains(b, "Traceback (most recent call last)") ||
		strings.Contains(b, "goroutine ") || strings.IndexByte(b, '\n') >= 0 && (strings.Contains(b, "\n\tat ") || strings.Contains(b, "\n    at "))
}

// raisedEvent is a log event that became more frequent.
type raisedEvent struct {
	*logEvent
	z        float64 // of the records
	sure     float64 // of the requests or seconds with such records, see episodes
	strength float64
	fresh    bool // never seen healthy
	first    int64
}

// raisedEvents lists warnings and errors that became more frequent, strongest first.
func (a *analysis) raisedEvents() []raisedEvent {
	var out []raisedEvent
	exposure := a.exposure()
	for i := range a.events.list {
		e := &a.events.list[i]
		if len(e.cur) == 0 || e.severity < warning && !e.thrown {
			continue
		}
		k, kb := float64(len(e.cur)), float64(len(e.base))
		x := exposure(e.service)
		rise := func(k, kb float64) float64 {
			z := math.Sqrt(k)
			if x[1] > 0 {
				z = zRate(k, x[0], kb, x[1])
			}
			if kb == 0 {
				// Nothing healthy to compare with: chance alone would bring a rare event once or twice.
				z = max(z, math.Sqrt(k))
			}
			return z
		}
		z := rise(k, kb)
		if z < a.k.logs.z || x[1] > 0 && k/x[0] <= kb/x[1] {
			continue
		}
		strength := a.k.logs.sure.of(z)
		if e.severity < errorLevel && !e.thrown {
			strength *= a.k.logs.warning
		}
		r := raisedEvent{logEvent: e, z: z, strength: strength, first: e.cur[0]}
		if a.comparesLogs() {
			r.fresh, r.sure = kb == 0, rise(e.curEpisodes.n, e.baseEpisodes.n)/math.Sqrt(dispersion(e.base, a.base.from, a.base.to))
		} else if a.base.empty() {
			r.fresh, r.sure = true, rise(e.curEpisodes.n, 0)
		} // else what is healthy is told by other signals, and these records may have been there for ever
		out = append(out, r)
	}
	slices.SortFunc(out, func(x, y raisedEvent) int {
		if x.strength != y.strength {
			return int(math.Copysign(1, y.strength-x.strength))
		}
		if x.z != y.z {
			return int(math.Copysign(1, y.z-x.z))
		}
		if c := strings.Compare(x.service, y.service); c != 0 {
			return c
		}
		return int(x.template - y.template)
	})
	return out
}

// exposure is how much a service did in the incident and when healthy: how many ordinary
// records it wrote, so that twice the load with twice the warnings is no rise; the length
// of the windows where there are too few.
func (a *analysis) exposure() func(service string) [2]float64 {
	ordinary := map[string][2]float64{}
	for i := range a.events.list {
		e := &a.events.list[i]
		if e.severity < warning && !e.thrown {
			o := ordinary[e.service]
			ordinary[e.service] = [2]float64{o[0] + float64(len(e.cur)), o[1] + float64(len(e.base))}
		}
	}
	return func(service string) [2]float64 {
		if a.base.empty() {
			return [2]float64{a.cur.seconds(), 0}
		}
		if o := ordinary[service]; min(o[0], o[1]) >= 2*a.k.window.enough {
			return o
		}
		return [2]float64{a.cur.seconds(), a.base.seconds()}
	}
}

// comparesLogs says that there are healthy log records to compare with.
func (a *analysis) comparesLogs() bool { return len(a.base.ds.Logs) > 0 }

// findLogs weighs new and more frequent warnings and errors. One that names another service
// speaks for that one and against its writer, who only passes on what it got.
func (a *analysis) findLogs() {
	total := 0.0
	for _, e := range a.raised {
		total += float64(len(e.cur))
	}
	for _, e := range a.raised {
		share := float64(len(e.cur)) / max(total, 1)
		words := fmt.Sprintf("%s %q, %d times", levelName(e.severity), shorten(e.text(a.events.miner), 160), len(e.cur))
		switch {
		case !a.comparesLogs():
		case e.fresh:
			words += ", never when healthy"
		default:
			words += fmt.Sprintf(", %.3g times as often as when healthy", float64(len(e.cur))/a.cur.seconds()/(float64(len(e.base))/a.base.seconds()))
		}
		named := a.mentioned(e.service, e.sample.Body)
		// The share matters less than the presence: a culprit may log once for many victims.
		w := a.k.weight.log * e.strength * (0.5 + 0.5*math.Sqrt(share))
		if e.thrown && len(named) == 0 {
			w = a.k.weight.thrown * e.strength
		}
		r := Reason{Signal: "log_template", Text: words, Value: float64(len(e.cur)), Baseline: float64(len(e.base)), Weight: w}
		if len(named) > 0 {
			r.Weight *= a.k.logs.passedOn
			a.board.add(e.service, Reason{Signal: "mention", Text: fmt.Sprintf("its new errors name %s: %q", strings.Join(named, ", "), shorten(e.text(a.events.miner), 120)),
				Value: float64(len(e.cur)), Weight: -a.k.weight.mention * e.strength * a.k.logs.namer})
			for _, n := range named {
				a.board.add(n, Reason{Signal: "mention", Text: fmt.Sprintf("new errors of %s name it: %q", e.service, shorten(e.text(a.events.miner), 120)),
					Value: float64(len(e.cur)), Weight: a.k.weight.mention * e.strength})
			}
		}
		a.board.add(e.service, r)
	}
}

// wordEdge says that position i of s is outside any name.
func wordEdge(s string, i int) bool {
	if i < 0 || i >= len(s) {
		return true
	}
	c := s[i]
	return !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_')
}

func levelName(severity int) string {
	switch {
	case severity >= 21:
		return "fatal"
	case severity >= errorLevel:
		return "error"
	case severity >= warning:
		return "warning"
	}
	return "message"
}

// shorten cuts s for people, between characters.
func shorten(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && s[n]&0xC0 == 0x80 {
		n--
	}
	return s[:n] + "…"
}
