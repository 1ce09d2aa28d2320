package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/remediator/remediator/examples/shop"
	goldentraces "github.com/remediator/remediator/testdata/golden-traces"
)

// bringUp runs the head of a scenario, broken as it is, under load until the context ends, and
// tells every few seconds what customers see.
func bringUp(ctx context.Context, log *slog.Logger, scenario shop.Scenario, python string) (err error) {
	p := plays()[scenario.Name]
	work, err := os.MkdirTemp("", "shop")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	inner, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()

	s, err := setUp(inner, log, work, python, scenario.Name, goldentraces.Files, "", p.After)
	if err != nil {
		return err
	}
	commits := s.history.Commits
	head, err := s.builder.build(ctx, commits[len(commits)-1])
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.fleet.stop()) }()
	if err := s.roll(ctx, head); err != nil {
		return err
	}
	s.enact(p.After)
	log.Info("the shop is open", "gateway", "http://"+s.mesh.address("gateway"), "stop", "with an interrupt")

	var busy sync.WaitGroup
	shopping, goHome := context.WithCancel(inner)
	defer func() { goHome(); busy.Wait() }()
	busy.Go(func() { s.customers.run(shopping) })
	var counted map[[2]string]int
	for {
		if err := pass(ctx, 5*time.Second); err != nil {
			return nil // the interrupt is how this ends
		}
		counted = s.tell("customers", counted)
		s.collector.forget()
	}
}
