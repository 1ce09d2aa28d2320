package localize

import (
	"regexp"
	"strconv"
	"strings"
)

// frame is one line of a stack, innermost first.
type frame struct {
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Function  string `json:"function,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Library   bool   `json:"library,omitempty"` // of a library or the runtime
}

// The forms of stack lines.
var (
	goFile    = regexp.MustCompile(`^\s+(\S+\.go):(\d+)`)
	pyFrame   = regexp.MustCompile(`^\s*File "([^"]+)", line (\d+)(?:, in (\S+))?`)
	javaFrame = regexp.MustCompile(`^\s*at ([\w.$/@<>\-]+)\.([\w$<>]+)\(([^:()]*)(?::(\d+))?\)`)
	nodeFrame = regexp.MustCompile(`^\s*at (?:async )?(?:(?:new )?([^ (]+(?: \[as [^\]]+\])?) \()?((?:file://|node:)?[^()\s]+?):(\d+):\d+\)?$`)
)

// maxFrames and maxStack bound what is read of one stack.
const (
	maxFrames = 64
	maxStack  = 64 << 10
)

// parseStack reads the frames of a stack trace of Go, Python, Java (and other languages of the
// JVM) or JavaScript, innermost first.
func parseStack(stack string) []frame {
	if len(stack) > maxStack {
		stack = stack[:maxStack]
	}
	var out []frame
	python := false
	pending := "" // function line of Go, whose file follows
	for line := range strings.Lines(stack) {
		line = strings.TrimRight(line, "\r\n")
		if len(line) > 1000 || len(out) >= maxFrames {
			continue
		}
		switch {
		case strings.Contains(line, `File "`):
			if m := pyFrame.FindStringSubmatch(line); m != nil {
				python = true
				out = append(out, newFrame(m[1], m[2], m[3], ""))
			}
		case strings.Contains(line, "at "):
			if m := javaFrame.FindStringSubmatch(line); m != nil {
				namespace := m[1]
				if i := strings.LastIndexByte(namespace, '/'); i >= 0 {
					namespace = namespace[i+1:] // module or class loader
				}
				file := m[3]
				if file == "Native Method" || file == "Unknown Source" {
					file = ""
				}
				out = append(out, newFrame(file, m[4], m[2], namespace))
			} else if m := nodeFrame.FindStringSubmatch(line); m != nil {
				out = append(out, newFrame(strings.TrimPrefix(m[2], "file://"), m[3], m[1], ""))
			}
		case strings.Contains(line, ".go:"):
			if m := goFile.FindStringSubmatch(line); m != nil {
				out = append(out, newFrame(m[1], m[2], pending, ""))
				pending = ""
			}
		default:
			if f := goFunction(line); f != "" {
				pending = f
			}
		}
	}
	if python { // the most recent call comes last
		for i, j := 0, len(out)-1; i < j; i, j = i+1, j-1 {
			out[i], out[j] = out[j], out[i]
		}
	}
	// A Go panic's stack begins with the runtime's own frames, which tell nothing.
	for i, f := range out {
		if f.Function == "panic" || strings.HasPrefix(f.Function, "runtime.gopanic") || f.Function == "runtime.panicmem" || strings.HasPrefix(f.Function, "runtime.sigpanic") {
			continue
		}
		if i > 0 && f.Library {
			continue
		}
		break
	}
	return out
}

// goFunction is the function that a line of a Go stack names before the line with its file:
// "pkg.(*Type).Method(0x1, {0x2})" or "created by pkg.f in goroutine 7".
func goFunction(line string) string {
	f, created := strings.CutPrefix(line, "created by ")
	if i := strings.Index(f, " in goroutine "); i >= 0 {
		f = f[:i]
	}
	if !created {
		if !strings.HasSuffix(f, ")") {
			return ""
		}
		// The arguments are the last group in parentheses.
		depth := 0
		for i := len(f) - 1; i >= 0; i-- {
			switch f[i] {
			case ')':
				depth++
			case '(':
				depth--
			}
			if depth == 0 {
				f = f[:i]
				break
			}
		}
	}
	if strings.ContainsAny(f, " \t\"") || !strings.Contains(f, ".") && f != "panic" {
		return ""
	}
	return f
}

func newFrame(file, line, function, namespace string) frame {
	n, err := strconv.Atoi(line)
	if err != nil || n < 0 {
		n = 0
	}
	f := frame{File: file, Line: n, Function: function, Namespace: namespace}
	f.Library = isLibrary(&f)
	return f
}

// isLibrary says that a frame belongs to a runtime or an installed dependency.
func isLibrary(f *frame) bool {
	p := strings.ReplaceAll(f.File, `\`, "/")
	for _, part := range []string{"/usr/local/go/src/", "/go/pkg/mod/", "/vendor/", "/site-packages/", "/dist-packages/", "/lib/python", "node_modules/", "node:internal", "<frozen "} {
		if strings.Contains(p, part) {
			return true
		}
	}
	if strings.HasPrefix(p, "node:") || strings.HasPrefix(p, "runtime/") || strings.HasPrefix(f.Function, "runtime.") || f.Function == "panic" {
		return true
	}
	for _, pkg := range []string{"java.", "javax.", "jdk.", "sun.", "com.sun.", "org.springframework.", "org.apache.", "io.netty.", "reactor.", "kotlin.", "jakarta.", "org.hibernate.", "com.zaxxer."} {
		if strings.HasPrefix(f.Namespace, pkg) {
			return true
		}
	}
	return false
}

// ownFrames drops the frames of libraries, unless nothing else is there.
func ownFrames(frames []frame) []frame {
	var own []frame
	for _, f := range frames {
		if !f.Library {
			own = append(own, f)
		}
	}
	if len(own) == 0 {
		return frames
	}
	return own
}
