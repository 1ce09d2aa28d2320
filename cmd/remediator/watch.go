package main

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/remediator/remediator/internal/alerthook"
	"github.com/remediator/remediator/internal/github"
	"github.com/remediator/remediator/internal/selftelemetry"
	"github.com/remediator/remediator/patch/modelrecipe"
)

// openTelemetry sets up the service's own metrics, traces and health.
func (s *service) openTelemetry(ctx context.Context, getenv func(string) string) error {
	var err error
	if s.tel, err = selftelemetry.NewService(ctx, version(), getenv); err != nil {
		return err
	}
	s.meter, err = s.tel.Instruments(time.Now)
	return err
}

// alertRequest counts a request to the webhook of alerts.
func (s *service) alertRequest(r alerthook.Request) {
	s.meter.Alert(r.Source, string(r.Outcome), r.Took)
}

func (s *service) githubObserver() github.Observer {
	return github.Observer{Rate: s.meter.GitHubRate, Retry: s.meter.GitHubRetry}
}

// state is what the service holds, for metrics.
func (s *service) state(ctx context.Context) (selftelemetry.State, error) {
	st, err := s.queue.Stats(ctx)
	if err != nil {
		return selftelemetry.State{}, err
	}
	records, err := s.queue.List(ctx)
	if err != nil {
		return selftelemetry.State{}, err
	}
	out := selftelemetry.State{Cases: map[string]int{}, Tasks: map[string]selftelemetry.Tasks{}, DeadLetters: st.DeadLetters, Bytes: st.Bytes, Oldest: st.Oldest}
	for _, r := range records {
		out.Cases[string(r.Stage)]++
	}
	for kind, t := range st.Tasks {
		out.Tasks[string(kind)] = selftelemetry.Tasks{Waiting: t.Waiting, Taken: t.Taken, Later: t.Later}
	}
	return out, nil
}

// ready says whether alerts may be sent here.
func (s *service) ready() http.Handler {
	return selftelemetry.Ready(s.log, selftelemetry.Dependency{Name: "state", Check: func(ctx context.Context) error {
		_, err := s.queue.Health(ctx)
		return err
	}}, selftelemetry.Dependency{Name: "storage", Optional: true, Check: func(ctx context.Context) error {
		h, err := s.queue.Health(ctx)
		if err == nil && h.NearlyFull != "" {
			return errors.New(h.NearlyFull)
		}
		return err
	}})
}

// meteredModel counts what is asked of a model.
type meteredModel struct {
	modelrecipe.Model
	meter *selftelemetry.Instruments
	now   func() time.Time
}

// Ask implements modelrecipe.Model.
func (m meteredModel) Ask(ctx context.Context, q modelrecipe.Question) (modelrecipe.Answer, error) {
	start := m.now()
	a, err := m.Model.Ask(ctx, q)
	failure := ""
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		failure = "timeout"
	case err != nil:
		failure = "unreachable"
	case a.Cut:
		failure = "cut"
	}
	m.meter.Model(failure, m.now().Sub(start), a.PromptTokens, a.AnswerTokens)
	return a, err
}
