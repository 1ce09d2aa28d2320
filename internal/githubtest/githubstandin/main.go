// Command githubstandin runs the stand-in by hand: for the tests of the GitHub Action, and for whoever wants to try the
// bot without GitHub. `githubstandin fetch` brings GitHub's description into the cache.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/remediator/remediator/internal/githubtest"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "githubstandin:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out, problems io.Writer) error {
	if len(args) > 0 && args[0] == "fetch" {
		if err := githubtest.FetchDescription(ctx, githubtest.Registry(ctx)); err != nil {
			return err
		}
		dir, err := githubtest.CacheDir()
		fmt.Fprintln(out, "GitHub's description lies in", dir)
		return err
	}
	o := githubtest.Options{Report: func(format string, args ...any) { fmt.Fprintf(problems, "VIOLATION: "+format+"\n", args...) }}
	var repos, writers list
	f := flag.NewFlagSet("githubstandin", flag.ContinueOnError)
	f.SetOutput(problems)
	f.StringVar(&o.Listen, "listen", "127.0.0.1:0", "address to serve on")
	f.StringVar(&o.Dir, "dir", "", "directory for the repositories (default: a temporary one)")
	f.BoolVar(&o.Enterprise, "enterprise", false, "serve the API below /api/v3 only, as GitHub Enterprise Server does")
	f.StringVar(&o.WebhookURL, "webhook-url", "", "where events are sent")
	f.StringVar(&o.WebhookSecret, "secret", "", "secret that signs the events")
	f.Var(&repos, "repo", "owner/name=PATH of a directory or clone; may be repeated")
	f.Var(&writers, "writer", "login of somebody with write access to all repositories; may be repeated")
	if err := f.Parse(args); err != nil {
		return err
	}
	if len(repos) == 0 {
		return errors.New("name at least one repository with --repo owner/name=PATH")
	}
	if o.Dir == "" {
		dir, err := os.MkdirTemp("", "githubstandin-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		o.Dir = dir
	}
	s, err := githubtest.Open(o)
	if err != nil {
		return err
	}
	defer s.Close()
	if !s.Described() {
		fmt.Fprintln(problems, "NOT VALIDATED: run `githubstandin fetch` to have requests held against GitHub's description")
	}
	return serve(ctx, s, o.Dir, repos, writers, out)
}

// serve adds the repositories, says how to reach everything, and waits.
func serve(ctx context.Context, s *githubtest.Server, dir string, repos, writers []string, out io.Writer) error {
	key := filepath.Join(dir, "app.pem")
	if err := os.WriteFile(key, s.AppKeyPEM(), 0o600); err != nil {
		return err
	}
	fmt.Fprintf(out, "API_URL=%s\nURL=%s\nAPP_ID=%d\nAPP_KEY_FILE=%s\n", s.APIURL(), s.URL(), s.AppID(), key)
	for _, spec := range repos {
		name, path, _ := strings.Cut(spec, "=")
		r, err := s.AddRepository(name, path)
		if err != nil {
			return err
		}
		for _, login := range writers {
			r.Collaborator(login, "write")
		}
		fmt.Fprintf(out, "REPOSITORY=%s\nCLONE_URL=%s\nINSTALLATION_ID=%d\n", r.FullName(), r.CloneURL(), s.InstallationID(name))
		fmt.Fprintf(out, "GITHUB_TOKEN=%s\n", s.ActionsToken(name, githubtest.DefaultPermissions()))
	}
	for _, login := range writers {
		fmt.Fprintf(out, "TOKEN_%s=%s\n", strings.ToUpper(login), s.Token(login))
	}
	fmt.Fprintln(out, "READY")
	<-ctx.Done()
	return nil
}

// list is a flag that may be repeated.
type list []string

func (l *list) String() string     { return strings.Join(*l, ", ") }
func (l *list) Set(v string) error { *l = append(*l, v); return nil }
