package workflow

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/remediator/remediator/remedy"
)

// leaves plays a run that writes a case.
func leaves(t *testing.T, b *bench, c remedy.Case, made string, code int) {
	b.play = func(call called, stdout, _ io.Writer) int {
		dir := call.flag("--out")
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		data, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		files := map[string]string{"case.json": string(data), "pull-request.md": "## What broke\n\nPayments.\n"}
		if made != "" {
			files["proposal.json"] = made
		}
		for name, text := range files {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		fmt.Fprintln(stdout, "::error::forged by a log record")
		return code
	}
}

var proposed = remedy.Case{
	State: remedy.Proposed, Fingerprint: "0123456789abcdef", Base: remedy.Revision{Branch: "main", Commit: baseSHA},
	Suspects: []remedy.Suspect{{Rank: 1, Service: "payments", Operation: "POST /pay", File: "pay.go", Line: 42, Confidence: 0.97}, {Rank: 2, Service: "bank"}},
	Commit:   &remedy.Commit{SHA: headSHA, Branch: "remediator/0123456789ab", Key: "abc"},
}

func TestRunLeavesEvidence(t *testing.T) {
	b := newBench(t, "workflow_dispatch", "{}", map[string]string{
		"incident": "incidents/1", "propose": "pull-request", "autonomy": "draft", "token": "token-of-the-workflow", "model-url": "http://127.0.0.1:8080/v1", "model": "small",
	})
	b.vars["REMEDIATOR_WORKFLOW_TOKEN"] = "token-of-the-workflow"
	leaves(t, b, proposed, `{"url":"https://github.example/acme/shop/pull/3","number":3}`, 0)
	ok, out, summary := b.run(t)
	if !ok || out["state"] != "proposed" || out["pull-request-url"] != "https://github.example/acme/shop/pull/3" || out["case"] == "" {
		t.Fatalf("ok %v, outputs %v\n%s", ok, out, b.log.String())
	}
	c := b.calls[0]
	for flag, want := range map[string]string{
		"--incident": filepath.Join(b.vars["GITHUB_WORKSPACE"], "incidents/1"), "--repo": b.vars["GITHUB_WORKSPACE"], "--propose": "pull-request",
		"--autonomy": "draft", "--model-url": "http://127.0.0.1:8080/v1", "--model": "small",
	} {
		if c.flag(flag) != want {
			t.Errorf("%s = %q, want %q", flag, c.flag(flag), want)
		}
	}
	if !slices.Contains(c.env, "GITHUB_TOKEN=token-of-the-workflow") || slices.ContainsFunc(c.env, func(v string) bool { return strings.HasPrefix(v, "ACTIONS_") }) {
		t.Errorf("environment = %v", c.env)
	}
	for _, want := range []string{"**proposed**", "<https://github.example/acme/shop/pull/3>", "## What broke", "starts no CI", "create-github-app-token"} {
		if !strings.Contains(summary, want) {
			t.Errorf("the summary does not say %q:\n%s", want, summary)
		}
	}
	log := b.log.String()
	for _, want := range []string{"::add-mask::token-of-the-workflow", "::warning file=pay.go,line=42,title=remediator%3A suspect 1::payments POST /pay"} {
		if !strings.Contains(log, want) {
			t.Errorf("the log does not hold %q:\n%s", want, log)
		}
	}
	stop, forged, resume := strings.Index(log, "::stop-commands::"), strings.Index(log, "::error::forged"), strings.Index(log, "::endgroup::")
	if stop < 0 || forged < stop || resume < forged {
		t.Errorf("what the tool prints can be a command:\n%s", log)
	}
}

func TestNoNoteForTheTokenOfAnApp(t *testing.T) {
	b := newBench(t, "workflow_dispatch", "{}", map[string]string{"incident": "i", "propose": "pull-request", "token": "token-of-an-app"})
	b.vars["REMEDIATOR_WORKFLOW_TOKEN"] = "token-of-the-workflow"
	leaves(t, b, proposed, `{"url":"https://github.example/1"}`, 0)
	if ok, _, summary := b.run(t); !ok || strings.Contains(summary, "starts no CI") {
		t.Errorf("ok %v\n%s", ok, summary)
	}
}

// TestHeldSaysWhatItWaitsFor: the case is complete, and the rules of the repository ask for a person.
func TestHeldSaysWhatItWaitsFor(t *testing.T) {
	b := newBench(t, "schedule", "", map[string]string{"incident": "i", "propose": "pull-request", "token": "t", "approved-by": ""})
	leaves(t, b, proposed, `{"state":"held","why":"a critical incident waits for a person | `+"`"+`"}`, 0)
	ok, out, summary := b.run(t)
	if !ok || out["state"] != "held" || out["pull-request-url"] != "" || !strings.Contains(summary, "`a critical incident waits for a person │ '`") {
		t.Errorf("ok %v, outputs %v\n%s", ok, out, summary)
	}
	if !strings.Contains(b.log.String(), "::warning title=remediator%3A held::a critical incident") || b.calls[0].flag("--approved-by") != "" {
		t.Errorf("log:\n%s", b.log.String())
	}
}

func TestDeclinedIsNoFailure(t *testing.T) {
	b := newBench(t, "schedule", "", map[string]string{"sources": "telemetry", "alert": `{"version":"4"}`})
	c := remedy.Case{State: remedy.Declined, Fingerprint: "0123", Declined: &remedy.Decline{Code: "no_suspect", Why: "the evidence is thin", Next: "look at the bank"}}
	leaves(t, b, c, "", exitDeclined)
	ok, out, _ := b.run(t)
	if !ok || out["state"] != "declined" || out["pull-request-url"] != "" {
		t.Errorf("ok %v, outputs %v", ok, out)
	}
	if !strings.Contains(b.log.String(), "::notice title=remediator%3A declined::the evidence is thin%0Alook at the bank") {
		t.Errorf("log:\n%s", b.log.String())
	}
	if call := b.calls[0]; call.flag("--propose") != "none" || !strings.HasSuffix(call.flag("--alert"), "alert.json") {
		t.Errorf("called %q", call.args)
	}
}

func TestAnAlertAloneLeavesTheTelemetryToTheConfiguration(t *testing.T) {
	b := newBench(t, "repository_dispatch", "", map[string]string{"alert": `{"version":"4"}`})
	c := remedy.Case{State: remedy.Declined, Fingerprint: "0123", Declined: &remedy.Decline{Code: "no_suspect", Why: "the evidence is thin", Next: "look at the bank"}}
	leaves(t, b, c, "", exitDeclined)
	b.run(t)
	if call := b.calls[0]; slices.Contains(call.args, "--incident") || !strings.HasSuffix(call.flag("--alert"), "alert.json") {
		t.Errorf("called %q", call.args)
	}
}

func TestFailureSaysWhy(t *testing.T) {
	b := newBench(t, "schedule", "", map[string]string{"incident": "i"})
	b.play = func(_ called, _, stderr io.Writer) int {
		fmt.Fprintln(stderr, "remediator: i has no alert.json")
		return exitInput
	}
	ok, out, summary := b.run(t)
	if ok || out["state"] != "failed" || !strings.Contains(summary, "i has no alert.json") {
		t.Errorf("ok %v, state %q\n%s", ok, out["state"], summary)
	}
}

func TestInputsThatDoNotFit(t *testing.T) {
	for _, tc := range []struct {
		name   string
		inputs map[string]string
		says   string
	}{
		{"nothing", nil, "name an incident directory"},
		{"both", map[string]string{"incident": "a", "sources": "b"}, "give one of them"},
		{"telemetry without an alert", map[string]string{"sources": "b"}, "telemetry without an alert"},
		{"unknown proposal", map[string]string{"incident": "a", "propose": "merge"}, "choose none or pull-request"},
		{"unknown autonomy", map[string]string{"incident": "a", "autonomy": "full"}, "choose report, branch, draft or ready"},
		{"no token", map[string]string{"incident": "a", "propose": "pull-request"}, "needs the input `token`"},
		{"unknown mode", map[string]string{"mode": "deploy"}, "choose run, verify or replay"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			b := newBench(t, "schedule", "", tc.inputs)
			if ok, _, summary := b.run(t); ok || !strings.Contains(summary, tc.says) || len(b.calls) != 0 {
				t.Errorf("ok %v, %d calls\n%s", ok, len(b.calls), summary)
			}
		})
	}
}

// TestReportWritesNothing: the least autonomy proposes nothing, whatever else is asked for.
func TestReportWritesNothing(t *testing.T) {
	b := newBench(t, "schedule", "", map[string]string{"incident": "i", "propose": "pull-request", "autonomy": "report", "token": "t"})
	leaves(t, b, proposed, "", 0)
	if ok, _, _ := b.run(t); !ok || b.calls[0].flag("--propose") != "none" {
		t.Errorf("ok %v, called %q", ok, b.calls[0].args)
	}
}

// TestKeyGivenAsText lies in a file that only the runner's user reads, and not in the log.
func TestKeyGivenAsText(t *testing.T) {
	b := newBench(t, "schedule", "", map[string]string{"incident": "i", "key": "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----\nc2VjcmV0LXNlY3JldA==\n-----END ENCRYPTED SIGSTORE PRIVATE KEY-----"})
	leaves(t, b, proposed, "", 0)
	write := b.play
	b.play = func(c called, stdout, stderr io.Writer) int {
		info, err := os.Stat(c.flag("--key"))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("key: %v, %v", info, err)
		}
		return write(c, stdout, stderr)
	}
	if ok, _, summary := b.run(t); !ok || strings.Contains(summary, "c2VjcmV0") {
		t.Errorf("ok %v\n%s", ok, summary)
	}
	if !strings.Contains(b.log.String(), "::add-mask::c2VjcmV0LXNlY3JldA==\n") {
		t.Errorf("the key is not masked:\n%s", b.log.String())
	}
}
