package main

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/remedy/docket"
)

// killer kills the service the first time that something happens: before and after every kind of request that
// changes something at GitHub, and at every stage that a case is seen in.
type killer struct {
	mu     sync.Mutex
	s      *served
	seen   map[string]int
	most   int // how often for one kind of moment
	kills  []string
	paused bool
}

var numbers = regexp.MustCompile(`/[0-9a-f]{7,}|/[0-9]+`)

// at kills the service if it has not been killed at this moment often enough.
func (k *killer) at(moment string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.paused || k.seen[moment] >= k.most {
		return false
	}
	k.seen[moment]++
	k.kills = append(k.kills, moment)
	k.s.kill()
	return true
}

func (k *killer) pause(on bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.paused = on
}

// alive starts the service again if it was killed.
func (s *served) alive() {
	s.mu.Lock()
	exited := s.exited
	s.mu.Unlock()
	select {
	case <-exited:
		s.start()
	default:
	}
}

func (k *killer) request(phase githubtest.Phase, r *http.Request) {
	if r.Method == http.MethodGet || strings.Contains(r.URL.Path, "access_tokens") || strings.Contains(r.URL.Path, ".git/") {
		return
	}
	when := "before"
	if phase == githubtest.After {
		when = "after"
	}
	k.at(fmt.Sprintf("%s %s %s", when, r.Method, numbers.ReplaceAllString(r.URL.Path, "/N")))
}

// Killed at every stage and around every effect and started again, many times over: one pull request, one check run,
// every comment once, and nothing lost.
func TestServeSurvivesBeingKilledAtEveryStage(t *testing.T) {
	t.Parallel()
	s := newServed(t, "none-deref", "approvals: [unknown]\n", "")
	k := &killer{s: s, seen: map[string]int{}, most: 1}
	s.github.OnRequest(k.request)
	s.start()
	s.send("none-deref")
	body := s.alertBody("none-deref")
	s.alert(body)

	again := func(want docket.Stage) {
		t.Helper()
		s.eventually("the case is "+string(want)+" in spite of all", func() bool {
			s.alive()
			for _, c := range s.cases() {
				if c.Stage == docket.Failed {
					t.Fatalf("the case failed after %d kills: %s", len(k.kills), c.Why)
				}
				if c.Stage != want && k.at("stage "+string(c.Stage)+" "+c.Progress) {
					return false
				}
				if c.Stage == want {
					return true
				}
			}
			return false
		})
	}
	again(docket.Proposed)
	k.pause(true)
	s.alive()
	s.alert(resolvedAlert(body))
	k.pause(false)
	s.eventually("the end of the alert is commented", func() bool {
		s.alive()
		pulls := s.repo.Pulls()
		return len(pulls) > 0 && len(s.repo.Comments(pulls[0].Number)) > 0 && len(s.cases()) == 1 && !s.cases()[0].Resolved.IsZero()
	})
	if _, err := s.github.As("oncall").Merge(s.repo, s.repo.Pulls()[0].Number); err != nil {
		t.Fatal(err)
	}
	again(docket.Merged)
	k.pause(true)
	s.alive()
	merged := s.waitFor(docket.Merged)

	t.Logf("killed %d times: %s", len(k.kills), strings.Join(k.kills, ", "))
	if len(k.kills) < 12 {
		t.Errorf("only %d kills", len(k.kills))
	}
	pulls := s.repo.Pulls()
	if len(pulls) != 1 {
		t.Errorf("%d pull requests: %+v", len(pulls), pulls)
	}
	checks := map[string]int{}
	for _, c := range s.repo.Checks() {
		checks[c.Name+" "+c.Head]++
	}
	for name, n := range checks {
		if n != 1 {
			t.Errorf("%d check runs %s", n, name)
		}
	}
	if len(checks) == 0 {
		t.Error("no check run")
	}
	markers := map[string]int{}
	for _, c := range s.repo.Comments(pulls[0].Number) {
		first, _, _ := strings.Cut(c.Body, "-->")
		markers[first]++
	}
	for m, n := range markers {
		if n != 1 {
			t.Errorf("the comment %s is there %d times", m, n)
		}
	}
	if out, code := s.cli("cases", "show", merged.Fingerprint, "--format", "json"); code != 0 || !strings.Contains(out, `"stage": "merged"`) {
		t.Errorf("cases show: %d %s", code, out)
	}
}
