package extract

import (
	"strings"

	"github.com/remediator/remediator/codeindex/facts"
)

// logLevels are the names, in lower case and without a format suffix, of functions that write a log
// record: log, slog, zap, logrus, zerolog, klog; logging, structlog, loguru; console, pino,
// winston, bunyan; slf4j, log4j, java.util.logging.
var logLevels = map[string]bool{
	"trace": true, "debug": true, "info": true, "notice": true, "warn": true, "warning": true, "error": true,
	"err": true, "critical": true, "exception": true, "fatal": true, "panic": true, "dpanic": true, "severe": true, "fine": true,
	"finer": true, "finest": true, "log": true, "logattrs": true, "print": true, "println": true, "printf": true,
	"msg": true, "event": true, "verbose": true, "success": true,
}

// logReceivers are the ends of receivers, in lower case, that are loggers beyond doubt.
var logReceivers = []string{"log", "logger", "logging", "slog", "zap", "sugar", "console", "klog", "glog", "logrus", "lg", "l", "entry", "_log", "loguru", "structlog", "syslog", "winston", "pino", "bunyan"}

// errorMakers are functions whose text becomes the message of an error, which telemetry shows as
// exception.message or as the status of a span.
var errorMakers = map[string]bool{
	"fmt.Errorf": true, "errors.New": true, "errors.Errorf": true, "errors.Wrap": true, "errors.Wrapf": true,
	"status.Error": true, "status.Errorf": true, "xerrors.Errorf": true, "http.Error": true, "panic": true, "abort": true,
}

// logs recognises a call that writes a log record or makes an error with a message.
func (c *collector) logs(x *call) {
	if c.errorText(x) {
		return
	}
	name := last(x.callee)
	level := x.verb()
	formats := false
	if !logLevels[level] {
		for _, suffix := range []string{"context", "ctx", "depth", "ln", "f", "w", "s"} { // klog.InfoS
			if base, ok := strings.CutSuffix(level, suffix); ok && logLevels[base] {
				level = base
				formats = suffix == "f"
				break
			}
		}
	}
	if !logLevels[level] || !c.isLogger(x, level) {
		return
	}
	for i := range x.args {
		a, ok := x.arg(i)
		if !ok {
			break
		}
		t, ok := a.template()
		if !ok {
			continue
		}
		if a.kind != textual {
			// A name may be a constant with the message, or a context, a level, an error.
			if t = c.settle(t, x.fn); static(t) == "" {
				continue
			}
		}
		if static(t) == "" {
			continue
		}
		if c.file.Language == "java" || c.file.Language == "python" {
			t = braces(t)
		}
		if formats || c.file.Language != "go" || strings.HasSuffix(name, "f") {
			t = percent(t)
		}
		c.site(facts.Site{Kind: facts.Log, Text: strings.TrimRight(t, "\n"), Line: a.line, Func: x.fn, Via: shorten(x.callee)})
		return
	}
	a, ok := x.key("message")
	if first, is := x.arg(0); is && !ok { // logger.log({level: "info", message: "..."})
		for _, key := range []string{"message", "msg"} {
			if v, has := lookup(first.elems, key); has && first.kind == object && !ok {
				a, ok = v, true
			}
		}
	}
	if ok {
		if t, ok := a.template(); ok && static(t) != "" {
			c.site(facts.Site{Kind: facts.Log, Text: t, Line: a.line, Func: x.fn, Via: shorten(x.callee)})
		}
	}
}

func (c *collector) isLogger(x *call, level string) bool {
	receiver := front(x.callee)
	if receiver == "" {
		return x.callee == "print" || x.callee == "println"
	}
	if level == "print" || level == "println" || level == "printf" {
		if strings.HasPrefix(receiver, "System.") || receiver == "fmt" {
			return true
		}
	}
	// zerolog ends a chain with Msg: the chain began at a logger or at a level.
	if level == "msg" {
		return x.on != nil
	}
	root := x
	for root.on != nil {
		root = root.on
	}
	for _, at := range []string{receiver, front(root.callee)} {
		end := strings.ToLower(last(strings.TrimSuffix(at, "()")))
		for _, known := range logReceivers {
			if end == known {
				return true
			}
		}
		if strings.HasSuffix(end, "log") || strings.HasSuffix(end, "logger") || strings.HasPrefix(end, "logger") {
			return true
		}
	}
	if c.opens(x, "getLogger") || c.opens(x, "get_logger") || c.opens(x, "createLogger") || c.opens(x, "NewLogger") || c.opens(x, "pino") {
		return true
	}
	return false
}

// errorText recognises the making of an error. Java's and JavaScript's "new XError(...)" and
// Python's "raise XError(...)" arrive as calls of the class.
func (c *collector) errorText(x *call) bool {
	name := last(x.callee)
	made := errorMakers[x.callee] || strings.HasSuffix(name, "Exception") || strings.HasSuffix(name, "Error") && c.file.Language != "go" && name != strings.ToLower(name)
	if !made {
		return false
	}
	if base := strings.ToLower(front(x.callee)); strings.HasSuffix(base, "log") || strings.HasSuffix(base, "logger") {
		return false
	}
	for i := range x.args {
		a, ok := x.arg(i)
		if !ok {
			break
		}
		t, ok := a.template()
		if !ok || a.kind != textual || static(t) == "" {
			continue
		}
		c.site(facts.Site{Kind: facts.Log, Text: percent(t), Line: a.line, Func: x.fn, Via: shorten(x.callee)})
		return true
	}
	return true
}
