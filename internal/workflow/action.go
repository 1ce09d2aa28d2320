package workflow

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// Tool runs remediator with a command line and environment and returns its exit code.
type Tool func(ctx context.Context, args, env []string, stdout, stderr io.Writer) (code int, err error)

// Exit codes of remediator that are answers.
const (
	exitInput    = 3
	exitNo       = 5
	exitDeclined = 10
)

// Action is one step.
type Action struct {
	Getenv  func(string) string
	Environ []string
	Stdout  io.Writer
	Tool    Tool
	Sleep   func(context.Context, time.Duration) error
	Temp    string // for what is fetched; the caller removes it
}

// step is the action under way.
type step struct {
	Action
	log   *Log
	event Event
}

// Run does what the input `mode` says and writes the result. It returns whether the step succeeded.
func (a Action) Run(ctx context.Context) bool {
	s := &step{Action: a, log: NewLog(a.Stdout)}
	res, err := s.run(ctx)
	if err != nil {
		s.log.Annotate(Annotation{Level: Error, Title: "remediator", Text: err.Error()})
		res.Failed = true
		if res.State == "" {
			res.State = "failed"
		}
		if res.Summary == "" {
			res.Summary = "## remediator\n\n" + paragraph(err.Error())
		}
	}
	if err := res.Write(a.Getenv); err != nil {
		s.log.Annotate(Annotation{Level: Error, Title: "remediator", Text: "the result could not be written: " + err.Error()})
		return false
	}
	return !res.Failed
}

func (s *step) run(ctx context.Context) (Result, error) {
	for _, name := range []string{"token", "key"} {
		s.log.Mask(s.input(name))
	}
	s.log.Mask(s.Getenv("COSIGN_PASSWORD"))
	var err error
	if s.event, err = ReadEvent(s.Getenv); err != nil {
		return Result{}, err
	}
	if err := s.event.Admit(); err != nil {
		return Result{State: "refused"}, err
	}
	switch mode := s.input("mode"); mode {
	case "run", "":
		return s.incident(ctx)
	case "verify":
		return s.verify(ctx)
	case "replay":
		return s.replay(ctx)
	default:
		return Result{}, fmt.Errorf("mode %s: choose run, verify or replay", quoted(mode))
	}
}

// input reads an input of the action. A composite action has to hand them on itself.
func (s *step) input(name string) string {
	return strings.TrimSpace(s.Getenv("INPUT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))))
}

// inside resolves a path of an input against the workspace.
func (s *step) inside(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(s.Getenv("GITHUB_WORKSPACE"), path)
}

// repository is the checkout.
func (s *step) repository() string {
	if p := s.input("repository"); p != "" {
		return s.inside(p)
	}
	return s.inside(".")
}

// environment is what the tool gets: everything but the runner's own credentials and the inputs, and the token only
// where it writes.
func (s *step) environment(token bool) []string {
	var env []string
	for _, v := range s.Environ {
		name, _, _ := strings.Cut(v, "=")
		upper := strings.ToUpper(name)
		if strings.HasPrefix(upper, "ACTIONS_") || strings.HasPrefix(upper, "INPUT_") || upper == "GITHUB_TOKEN" || upper == "GH_TOKEN" {
			continue
		}
		env = append(env, v)
	}
	if t := s.input("token"); token && t != "" {
		env = append(env, "GITHUB_TOKEN="+t)
	}
	return env
}

// keyFile puts a key that was given as text into a file that only this user reads; a path stays one.
func (s *step) keyFile() (string, error) {
	key := s.input("key")
	if !strings.HasPrefix(key, "-----BEGIN ") {
		return key, nil
	}
	path := filepath.Join(s.Temp, "key")
	return path, os.WriteFile(path, []byte(key+"\n"), 0o600)
}

// paragraph sets text from outside as a block that it cannot leave.
func paragraph(text string) string {
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.TrimSpace(text) + "\n" + fence + "\n"
}

var errTool = errors.New("see the log of this step")

// ended turns an exit code that is no answer into an error.
func ended(what string, code int, said string) error {
	said = strings.TrimSpace(said)
	if len(said) > 2000 {
		said = "..." + strings.ToValidUTF8(said[len(said)-2000:], "")
	}
	if said == "" {
		return fmt.Errorf("remediator %s ended with code %d: %w", what, code, errTool)
	}
	return fmt.Errorf("remediator %s ended with code %d: %s", what, code, said)
}
