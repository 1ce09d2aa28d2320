package main

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/remediator/remediator/examples/shop"
	"github.com/remediator/remediator/internal/bundle"
	"github.com/remediator/remediator/internal/githubtest"
	"github.com/remediator/remediator/internal/web"
	"github.com/remediator/remediator/remedy/docket"
	"github.com/remediator/remediator/testdata/incidents"
)

// served is a running service of its own process, a stand-in of GitHub with the sample shop, and what an
// on-call engineer has in hand: the command line and a browser.
type served struct {
	t      *testing.T
	github *githubtest.Server
	repo   *githubtest.Repository
	dir    string
	url    string
	otlp   string
	conf   string
	log    *lockedBuffer

	mu      sync.Mutex
	command *exec.Cmd // the process that was started last
	exited  chan struct{}

	began time.Time // when the recorded alert began, as if it happened now
}

// lockedBuffer is written by a process and read by a test.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

const (
	servedRepo    = "acme/shop"
	webhookSecret = "a secret that only GitHub and the service know"
)

// shopAt makes the shop's repository as it was deployed in an incident. Its services are tested and not run,
// so that a case takes seconds; that the whole proof works is shown elsewhere.
func shopAt(t *testing.T, scenario, extra string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "shop")
	if _, err := shop.BuildHistory(dir, scenario); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, ".remediator.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = regexp.MustCompile(`(?m)^    (fetch|build|run|port|health|golden):.*\n|^    dependencies:\n(      - .*\n)*`).ReplaceAll(text, nil)
	text = regexp.MustCompile(`(?m)^    test:.*$`).ReplaceAll(text, []byte(`    test: ["true"]`))
	if err := os.WriteFile(file, append(text, extra...), 0o644); err != nil {
		t.Fatal(err)
	}
	git := exec.Command("git", "-c", "user.name=Shop", "-c", "user.email=shop@example.org", "commit", "-qam", "Test what changed only")
	git.Dir = dir
	if out, err := git.CombinedOutput(); err != nil {
		t.Fatalf("git commit: %v %s", err, out)
	}
	return dir
}

// newServed starts a stand-in and writes the configuration of a service; start starts it.
func newServed(t *testing.T, scenario, repoExtra, serverExtra string) *served {
	t.Helper()
	if testing.Short() {
		t.Skip("starts processes")
	}
	s := &served{t: t, dir: t.TempDir()}
	ports := freePorts(t, 3)
	s.url = fmt.Sprintf("http://127.0.0.1:%d", ports[0])
	s.otlp = fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	s.github = githubtest.New(t, githubtest.Options{WebhookURL: s.url + "/webhooks/github", WebhookSecret: webhookSecret})
	var err error
	if s.repo, err = s.github.AddRepository(servedRepo, shopAt(t, scenario, repoExtra)); err != nil {
		t.Fatal(err)
	}
	s.repo.Collaborator("oncall", "write")
	write := func(name string, text []byte) string {
		path := filepath.Join(s.dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s.conf = write("serve.yaml", fmt.Appendf(nil, `
listen: 127.0.0.1:%d
metrics: "off"
data_dir: data
otlp: {grpc: 127.0.0.1:%d, http: 127.0.0.1:%d, settle: 1s}
alerts:
  alertmanager: {format: alertmanager, per_minute: 6000}
github: {url: %q, app_id: %d, private_key_file: %q, webhook_secret_file: %q}
%s`, ports[0], ports[1], ports[2], s.github.APIURL(), s.github.AppID(),
		write("app.pem", s.github.AppKeyPEM()), write("webhook", []byte(webhookSecret)), serverExtra))
	return s
}

// freePorts finds ports that nobody listens on.
func freePorts(t *testing.T, n int) []int {
	t.Helper()
	var out []int
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		out = append(out, l.Addr().(*net.TCPAddr).Port)
	}
	return out
}

// start starts the service and waits until it is ready.
func (s *served) start(extra ...string) {
	s.t.Helper()
	s.log = &lockedBuffer{}
	command, exited := exec.Command(os.Args[0]), make(chan struct{})
	args := append([]string{"serve", "--config", s.conf, "--allow-weak-sandbox"}, extra...)
	command.Env = append(os.Environ(), "REMEDIATOR_TEST_ARGS="+strings.Join(args, "\x1f"))
	command.Stdout, command.Stderr = s.log, s.log
	if err := command.Start(); err != nil {
		s.t.Fatal(err)
	}
	s.mu.Lock()
	s.command, s.exited = command, exited
	s.mu.Unlock()
	go func() {
		_ = command.Wait()
		close(exited)
	}()
	log := s.log
	s.t.Cleanup(func() {
		_ = command.Process.Kill()
		<-exited
		if s.t.Failed() {
			text := log.String()
			s.t.Logf("the service said:\n%s", text[max(0, len(text)-8000):])
		}
	})
	s.eventually("the service is ready", func() bool {
		select {
		case <-exited:
			if status, ok := command.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
				return true // killed by the test, before it was ready
			}
			s.t.Fatalf("the service ended:\n%s", log.String())
		default:
		}
		resp, err := http.Get(s.url + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

// kill ends the service as a power cut does.
func (s *served) kill() { s.signal(syscall.SIGKILL) }

// signal signals the process and waits for its end.
func (s *served) signal(sig os.Signal) *os.ProcessState {
	s.mu.Lock()
	command, exited := s.command, s.exited
	s.mu.Unlock()
	_ = command.Process.Signal(sig)
	<-exited
	return command.ProcessState
}

// stop ends the service as an orchestrator does and returns its exit code.
func (s *served) stop() int { return s.signal(syscall.SIGTERM).ExitCode() }

// patience is far more than anything takes on a loaded machine.
const patience = 10 * time.Minute

func (s *served) eventually(what string, is func() bool) {
	s.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !is() {
		select {
		case <-deadline.C:
			s.t.Fatalf("waited in vain until %s; cases: %+v", what, s.cases())
		case <-tick.C:
		}
	}
}

// recent is how long ago a recorded alert is made to have begun, so that all of its telemetry is in the past.
const recent = 2 * time.Minute

var (
	stamps   = regexp.MustCompile(`(UnixNano":")([0-9]{19})"`)
	startsAt = regexp.MustCompile(`"startsAt":"([^"]+)"`)
)

// shift is what has to be added to a recording's times.
func (s *served) shift(scenario string) time.Duration {
	s.t.Helper()
	body, err := incidents.Files.ReadFile(scenario + "/alert.json")
	if err != nil {
		s.t.Fatal(err)
	}
	recorded, err := time.Parse(time.RFC3339Nano, string(startsAt.FindSubmatch(body)[1]))
	if err != nil {
		s.t.Fatal(err)
	}
	if s.began.IsZero() {
		s.began = time.Now().Add(-recent)
	}
	return s.began.Sub(recorded)
}

// send sends the telemetry of a recorded incident by OTLP, as its services did, as if it happened now.
func (s *served) send(scenario string) {
	s.t.Helper()
	for _, window := range []string{"baseline", "incident"} {
		for _, signal := range []string{"traces", "logs", "metrics"} {
			data, err := incidents.Files.ReadFile(scenario + "/" + window + "/" + signal + ".jsonl.zst")
			if err != nil {
				s.t.Fatal(err)
			}
			r, err := zstd.NewReader(bytes.NewReader(data))
			if err != nil {
				s.t.Fatal(err)
			}
			text, err := io.ReadAll(r)
			r.Close()
			if err != nil {
				s.t.Fatal(err)
			}
			by := s.shift(scenario)
			text = stamps.ReplaceAllFunc(text, func(m []byte) []byte {
				parts := stamps.FindSubmatch(m)
				n, err := strconv.ParseInt(string(parts[2]), 10, 64)
				if err != nil {
					s.t.Fatal(err)
				}
				return fmt.Appendf(nil, `%s%d"`, parts[1], n+int64(by))
			})
			for line := range bytes.Lines(text) {
				if code, answer := s.post(s.otlp+"/v1/"+signal, line); code != http.StatusOK || strings.Contains(answer, "rejected") {
					s.t.Fatalf("OTLP %s: %d %s", signal, code, answer)
				}
			}
		}
	}
}

func (s *served) alertBody(scenario string) []byte {
	s.t.Helper()
	body, err := incidents.Files.ReadFile(scenario + "/alert.json")
	if err != nil {
		s.t.Fatal(err)
	}
	s.shift(scenario)
	return startsAt.ReplaceAll(body, fmt.Appendf(nil, `"startsAt":"%s"`, s.began.UTC().Format(time.RFC3339Nano)))
}

func (s *served) post(url string, body []byte) (int, string) {
	s.t.Helper()
	resp, err := http.Post(url, "application/json", bytes.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

func (s *served) alert(body []byte) {
	s.t.Helper()
	if code, answer := s.post(s.url+"/webhooks/alerts/alertmanager", body); code != http.StatusAccepted {
		s.t.Fatalf("alert: %d %s", code, answer)
	}
}

// resolvedAlert is the same notification once the alert has ended.
func resolvedAlert(body []byte) []byte {
	return bytes.ReplaceAll(body, []byte(`"status":"firing"`), []byte(`"status":"resolved"`))
}

// unpack loads the telemetry that was kept with a case.
func (s *served) unpack(fingerprint string) *bundle.Bundle {
	s.t.Helper()
	resp, err := http.Get(s.url + "/api/v1/cases/" + fingerprint + "/artifacts/" + docket.TelemetryFile)
	if err != nil {
		s.t.Fatal(err)
	}
	defer resp.Body.Close()
	z, err := zstd.NewReader(resp.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	defer z.Close()
	dir := s.t.TempDir()
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			s.t.Fatalf("%s: %v", resp.Status, err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			s.t.Fatal(err)
		}
		path := filepath.Join(dir, filepath.FromSlash(h.Name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			s.t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			s.t.Fatal(err)
		}
	}
	b, err := bundle.Load(dir, bundle.Limits{})
	if err != nil {
		s.t.Fatal(err)
	}
	return b
}

// cases are those that the API lists; nil while nobody answers.
func (s *served) cases() []web.Item {
	resp, err := http.Get(s.url + "/api/v1/cases")
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	var list web.List
	if json.NewDecoder(resp.Body).Decode(&list) != nil {
		return nil
	}
	return list.Cases
}

// waitFor waits until the one case is at a stage.
func (s *served) waitFor(stage docket.Stage) web.Item {
	s.t.Helper()
	var found web.Item
	s.eventually("the case is "+string(stage), func() bool {
		all := s.cases()
		if len(all) != 1 {
			return false
		}
		found = all[0]
		if found.Stage.Ended() && found.Stage != stage {
			s.t.Fatalf("the case is %s: %s", found.Stage, found.Why)
		}
		return found.Stage == stage
	})
	return found
}

// cli runs the command line against the service.
func (s *served) cli(args ...string) (string, int) {
	s.t.Helper()
	var out bytes.Buffer
	code := execute(context.Background(), append(args, "--url", s.url), stdio{strings.NewReader(""), &out, &out})
	return out.String(), code
}

// From the alert to the merge, with everything that people and GitHub do in between.
func TestServeFromAlertToMerge(t *testing.T) {
	t.Parallel()
	s := newServed(t, "none-deref", "", "")
	s.start()
	s.send("none-deref")
	body := s.alertBody("none-deref")
	s.alert(body)

	// A critical incident waits for a person before anything is written.
	held := s.waitFor(docket.Held)
	if !held.Waiting || len(s.repo.Pulls()) != 0 || s.repo.Ref("refs/heads/remediator/"+held.Fingerprint[:12]) != "" {
		t.Fatalf("before the approval: %+v, pulls %+v", held, s.repo.Pulls())
	}
	if out, code := s.cli("cases", "approve", held.Fingerprint[:8], "--reason", "looks right"); code != 0 {
		t.Fatalf("cases approve: %d %s", code, out)
	}
	s.waitFor(docket.Proposed)
	pulls := s.repo.Pulls()
	if len(pulls) != 1 || !pulls[0].Draft || pulls[0].State != "open" || !strings.Contains(pulls[0].Body, s.url+"/cases/"+held.Fingerprint) {
		t.Fatalf("pull requests: %+v", pulls)
	}
	if out, err := s.repo.Git("verify-commit", "--raw", pulls[0].HeadSHA); err == nil {
		t.Logf("verify-commit: %s", out)
	}
	if n := len(s.repo.Checks()); n != 1 {
		t.Errorf("%d check runs, want one", n)
	}

	// What the case drew is kept with it, works as an incident again, and is nowhere at GitHub.
	if refs, err := s.repo.Git("ls-tree", "-r", "--name-only", "refs/remediator/"+held.Fingerprint); err != nil || strings.Contains(refs, docket.TelemetryFile) || !strings.Contains(refs, "evidence.sigstore.json") {
		t.Errorf("the evidence at GitHub is %q, %v", refs, err)
	}
	again := s.unpack(held.Fingerprint)
	if again.Alert == nil || len(again.Evidence.Incident.Spans) < 100 || len(again.Evidence.Baseline.Spans) < 100 {
		t.Errorf("kept were %d spans of the incident and %d of health", len(again.Evidence.Incident.Spans), len(again.Evidence.Baseline.Spans))
	}

	// The alert ends, and is told once.
	s.alert(resolvedAlert(body))
	s.eventually("the end of the alert is commented", func() bool { return len(s.repo.Comments(pulls[0].Number)) > 0 })
	before := len(s.repo.Comments(pulls[0].Number))

	// A command of somebody who may write is answered, that of a stranger is not.
	if _, err := s.github.As("stranger").Comment(s.repo, pulls[0].Number, "/remediator stop"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.github.As("oncall").Comment(s.repo, pulls[0].Number, "/remediator explain"); err != nil {
		t.Fatal(err)
	}
	s.eventually("the explanation is there", func() bool { return len(s.repo.Comments(pulls[0].Number)) >= before+3 })
	if got := s.repo.Pulls()[0].State; got != "open" {
		t.Errorf("a stranger's command left the pull request %s", got)
	}

	if err := s.github.As("oncall").MarkReady(s.repo, pulls[0].Number); err != nil {
		t.Fatal(err)
	}
	if _, err := s.github.As("oncall").Merge(s.repo, pulls[0].Number); err != nil {
		t.Fatal(err)
	}
	s.waitFor(docket.Merged)
	if out, code := s.cli("cases", "show", held.Fingerprint); code != 0 || !strings.Contains(out, "merged") {
		t.Errorf("cases show: %d %s", code, out)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d after SIGTERM:\n%s", code, s.log)
	}
}

// A thousand notifications of one incident within a minute, flapping, are one case and one run.
func TestServeThousandAlertsAreOneCase(t *testing.T) {
	t.Parallel()
	s := newServed(t, "none-deref", "approvals: [unknown]\n", "")
	s.start()
	s.send("none-deref")
	firing := s.alertBody("none-deref")
	for i := range 1000 {
		body := firing
		if i%10 == 9 {
			body = resolvedAlert(firing)
		}
		// Every notification of Alertmanager differs a little, such as in its truncated count.
		s.alert(bytes.Replace(body, []byte(`"truncatedAlerts":0`), fmt.Appendf(nil, `"truncatedAlerts":%d`, i), 1))
		if i == 0 { // an alert that ends before anything was begun declines its case
			s.eventually("the case is begun", func() bool {
				all := s.cases()
				return len(all) == 1 && all[0].Stage != docket.Queued
			})
		}
	}
	s.waitFor(docket.Proposed)
	if n := len(s.repo.Pulls()); n != 1 {
		t.Errorf("%d pull requests", n)
	}
	var c web.Case
	resp, err := http.Get(s.url + "/api/v1/cases/" + s.cases()[0].Fingerprint)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(resp.Body).Decode(&c); err != nil {
		t.Fatal(err)
	}
	if c.Alerts != 1000 {
		t.Errorf("%d notifications were counted", c.Alerts)
	}
}
