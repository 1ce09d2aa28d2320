package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"
	"syscall"
	"unicode"

	"github.com/spf13/cobra"
)

const rootHelp = `remediator reads the telemetry of an SLO breach, ranks the code to blame, drafts the
smallest reversible change, proves it by tests and by replaying golden traces against the
old and the patched build, and signs what it saw. It writes nothing but its output
directory unless told to.

In order of use:
  demo                 the whole path on a recorded incident, with nothing set up
  doctor               what this machine lacks, and what to do about it
  config init          a .remediator.yaml for your repository; then config validate
  fetch                the telemetry around an alert from your servers, into a directory
  localize             who is suspected and why; nothing is written
  run                  draft, proof and signed proposal; then verify and explain
  serve                the same for every alert, as a service; its cases by cases and app

Exit codes: 0 done or proposed, 1 unexpected failure, 2 usage, 3 input cannot be used,
4 this machine lacks something, 5 the answer is no (verification failed, policy denies,
replay is red), 10 declined or held for a person, with a report.`

// execute runs one command line and returns the exit code.
func execute(ctx context.Context, args []string, io stdio) int {
	root := newRoot(io)
	root.SetArgs(args)
	root.SetIn(io.in)
	root.SetOut(io.out)
	root.SetErr(io.err)
	err := root.ExecuteContext(ctx)
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e) && e.err == nil:
	case ctx.Err() != nil:
		fmt.Fprintln(io.err, "remediator: stopped; run the same command again to start over")
	case diskFull(err):
		fmt.Fprintf(io.err, "remediator: %s\nfree space on that disk, or name a directory on another one (temporary files go to TMPDIR)\n", harmless(strings.TrimSpace(err.Error())))
		return exitMachine
	case errors.Is(err, syscall.ELOOP):
		fmt.Fprintf(io.err, "remediator: %s: links lead in a circle; name the file or directory itself\n", harmless(strings.TrimSpace(err.Error())))
	default:
		fmt.Fprintf(io.err, "remediator: %s\n", harmless(strings.TrimSpace(err.Error())))
	}
	return codeOf(err)
}

// diskFull says whether a disk had no room, for this program or for one that it started and whose words it passes on.
func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || strings.Contains(err.Error(), "No space left on device")
}

// harmless takes out of a message what would drive a terminal or turn its text around: servers' answers, names of
// services and of files are quoted in messages.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) {
			return -1
		}
		return r
	}, s)
}

func newRoot(io stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "remediator",
		Short:         "From an SLO alert to a proven, signed pull request",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          noArgs,
		RunE:          func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetVersionTemplate("{{.Name}} {{.Version}}\n")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage("%w\nrun %q for the flags", err, c.CommandPath()+" --help")
	})
	root.AddCommand(
		demoCommand(io), runCommand(io), serveCommand(io), casesCommand(io), fetchCommand(io), localizeCommand(io), evalCommand(io), indexCommand(io), policyCommand(io),
		replayCommand(io), recordCommand(io), goldenCommand(io), verifyCommand(io), explainCommand(io), keygenCommand(io),
		doctorCommand(io), benchCommand(io), modelCommand(io), appCommand(io), configCommand(io), schemaCommand(io), versionCommand(io),
	)
	return root
}

func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 {
		if c.HasSubCommands() {
			return usage("unknown command %q\nrun %q for the commands", args[0], c.CommandPath()+" --help")
		}
		return usage("%s takes no arguments, got %q", c.CommandPath(), args)
	}
	return nil
}

func oneArg(what string) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) != 1 {
			return usage("%s takes one argument, %s; got %d", c.CommandPath(), what, len(args))
		}
		return nil
	}
}

// format is the --format flag of commands that programs read.
type format struct {
	value   string
	allowed []string
}

func (f *format) bind(c *cobra.Command, allowed ...string) {
	f.allowed = append([]string{"text", "json"}, allowed...)
	c.Flags().StringVar(&f.value, "format", "text", "output format: "+strings.Join(f.allowed, ", "))
	_ = c.RegisterFlagCompletionFunc("format", func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return f.allowed, cobra.ShellCompDirectiveNoFileComp
	})
}

func (f *format) check() error {
	if !slices.Contains(f.allowed, f.value) {
		return usage("unknown format %q: choose one of %s", f.value, strings.Join(f.allowed, ", "))
	}
	return nil
}

func (f *format) json() bool { return f.value == "json" }

// writeJSON prints a value the way files of a case are written: indented, without HTML escapes.
func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// version is the module's version as the Go toolchain recorded it.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}

func versionCommand(io stdio) *cobra.Command {
	var f format
	c := &cobra.Command{Use: "version", Short: "Print the version", Args: noArgs, RunE: func(*cobra.Command, []string) error {
		if err := f.check(); err != nil {
			return err
		}
		if f.json() {
			return writeJSON(io.out, map[string]string{"name": "remediator", "version": version()})
		}
		_, err := fmt.Fprintf(io.out, "remediator %s\n", version())
		return err
	}}
	f.bind(c)
	return c
}
