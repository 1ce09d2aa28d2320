package sources

import (
	"context"
	"sync"

	"go.opentelemetry.io/collector/pdata/plog"
	"go.opentelemetry.io/collector/pdata/pmetric"
	"go.opentelemetry.io/collector/pdata/ptrace"
)

// orderlySink hands on one export at a time and stops everything when the Sink cannot take more.
type orderlySink struct {
	to     Sink
	mu     sync.Mutex
	err    error
	cancel context.CancelFunc
}

func (s *orderlySink) Traces(window string, td ptrace.Traces) error {
	return s.hand(func() error { return s.to.Traces(window, td) })
}

func (s *orderlySink) Logs(window string, ld plog.Logs) error {
	return s.hand(func() error { return s.to.Logs(window, ld) })
}

func (s *orderlySink) Metrics(window string, md pmetric.Metrics) error {
	return s.hand(func() error { return s.to.Metrics(window, md) })
}

func (s *orderlySink) hand(f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		if s.err = f(); s.err != nil {
			s.cancel()
		}
	}
	return s.err
}

func (s *orderlySink) failure() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
