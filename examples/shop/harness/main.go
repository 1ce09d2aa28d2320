package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/remediator/remediator/examples/shop"
)

const usage = `usage: harness record --scenario NAME --out DIR
       harness golden --out DIR
       harness run [--scenario NAME]

scenarios:
`

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintf(os.Stderr, "harness: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 {
		return errors.New(help())
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	name := flags.String("scenario", "retry-storm", "what happens")
	out := flags.String("out", "", "directory to write, replaced as a whole")
	python := flags.String("python", "", "Python with the OpenTelemetry SDK (default: the one examples/shop/python-env made)")
	warmUp := flags.Duration("warm-up", 4*time.Second, "time before anything is recorded")
	baseline := flags.Duration("baseline", 16*time.Second, "length of the healthy window")
	incident := flags.Duration("incident", 18*time.Second, "length of the incident window")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	interpreter, err := findPython(*python)
	if err != nil {
		return err
	}
	switch args[0] {
	case "record":
		scenario, err := find(*name)
		if err != nil {
			return err
		}
		if *out == "" {
			return errors.New("name the bundle's directory with --out")
		}
		return record(ctx, log, scenario, interpreter, *out, timing{*warmUp, *baseline, *incident})
	case "run":
		scenario, err := find(*name)
		if err != nil {
			return err
		}
		return bringUp(ctx, log, scenario, interpreter)
	case "golden":
		if *out == "" {
			return errors.New("name the directory of the sets with --out")
		}
		return recordGolden(ctx, log, interpreter, *out)
	}
	return errors.New(help())
}

func help() string {
	var text strings.Builder
	text.WriteString(usage)
	for _, s := range shop.Scenarios() {
		fmt.Fprintf(&text, "  %-18s %s\n", s.Name, s.Title)
	}
	return text.String()
}

func find(name string) (shop.Scenario, error) {
	for _, s := range shop.Scenarios() {
		if s.Name == name {
			return s, nil
		}
	}
	return shop.Scenario{}, fmt.Errorf("no scenario %q; the scenarios are %s", name, strings.Join(shop.Names(), ", "))
}

// findPython returns an interpreter that has the SDK.
func findPython(named string) (string, error) {
	if named == "" {
		named = filepath.Join("examples", "shop", ".venv", "bin", "python")
	}
	path, err := filepath.Abs(named)
	if err != nil {
		return "", err
	}
	if out, err := exec.Command(path, "-c", "import opentelemetry.sdk").CombinedOutput(); err != nil {
		return "", fmt.Errorf("%s cannot load the OpenTelemetry SDK; run examples/shop/python-env from the repository's root: %w %s", named, err, tail(out))
	}
	return path, nil
}
