package main

import (
	"slices"
	"testing"

	"github.com/remediator/remediator/internal/config"
)

// A token that is not asked for although the configuration names it must not go unnoticed.
func TestReloadNamesWhatNeedsARestart(t *testing.T) {
	for want, change := range map[string]func(*config.Server){
		"listen":           func(c *config.Server) { c.Listen = "127.0.0.1:9999" },
		"otlp":             func(c *config.Server) { c.OTLP.Memory = "1GiB" },
		"otlp.token_file":  func(c *config.Server) { c.OTLP.TokenFile = "otlp.token" },
		"slack":            func(c *config.Server) { c.Slack.TokenFile = "slack.token" },
		"model":            func(c *config.Server) { c.Model.Name = "another" },
		"signing_key_file": func(c *config.Server) { c.SigningKeyFile = "cosign.key" },
		"":                 func(c *config.Server) { c.OTLP.Settle, c.Tokens = 1, []config.Token{{Name: "oncall"}} },
	} {
		now, next := config.DefaultServer(), config.DefaultServer()
		change(&next)
		var expected []string
		if want != "" {
			expected = []string{want}
		}
		if got := needRestart(now, next); !slices.Equal(got, expected) {
			t.Errorf("%q: %v", want, got)
		}
	}
	now, next := config.DefaultServer(), config.DefaultServer()
	now.OTLP.TokenFile, next.OTLP.TokenFile = "old.token", "new.token"
	if got := needRestart(now, next); got != nil {
		t.Errorf("another token is read: %v", got)
	}
}
