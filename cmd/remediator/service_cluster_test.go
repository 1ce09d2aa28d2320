package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	natsserver "github.com/nats-io/nats-server/v2/server"

	"github.com/remediator/remediator/remedy/docket"
)

// Two processes share the work through a NATS server of its own; the one that works on the case is killed, and the
// other goes on with it.
func TestServeProcessesTakeOverFromEachOther(t *testing.T) {
	t.Parallel()
	nats, err := natsserver.NewServer(&natsserver.Options{Host: "127.0.0.1", Port: -1, JetStream: true, StoreDir: t.TempDir(), MaxPayload: 8 << 20, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	nats.Start()
	t.Cleanup(nats.Shutdown)
	if !nats.ReadyForConnections(time.Minute) {
		t.Fatal("the NATS server is not ready")
	}

	s := newServed(t, "none-deref", "approvals: [unknown]\n", "")
	other := &served{t: t, github: s.github, repo: s.repo, dir: t.TempDir()}
	ports := freePorts(t, 3)
	other.url, other.otlp = fmt.Sprintf("http://127.0.0.1:%d", ports[0]), fmt.Sprintf("http://127.0.0.1:%d", ports[2])
	text, err := os.ReadFile(s.conf)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i, l := range lines {
		switch {
		case strings.HasPrefix(l, "listen:"):
			lines[i] = fmt.Sprintf("listen: 127.0.0.1:%d", ports[0])
		case strings.HasPrefix(l, "otlp:"):
			lines[i] = fmt.Sprintf("otlp: {grpc: 127.0.0.1:%d, http: 127.0.0.1:%d, settle: 1s}", ports[1], ports[2])
		case strings.HasPrefix(l, "data_dir:"):
			lines[i] = "data_dir: other"
		}
	}
	other.conf = filepath.Join(s.dir, "other.yaml")
	if err := os.WriteFile(other.conf, []byte(strings.Join(lines, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	s.start("--nats-url", nats.ClientURL())
	// Telemetry and alert reach the first process, which is alone, so that it has the case when it is killed.
	s.send("none-deref")
	s.alert(s.alertBody("none-deref"))
	s.eventually("the case is being worked out", func() bool {
		all := s.cases()
		return len(all) == 1 && all[0].Stage == docket.Running
	})
	other.start("--nats-url", nats.ClientURL())
	s.kill()
	other.waitFor(docket.Proposed)
	if pulls := s.repo.Pulls(); len(pulls) != 1 {
		t.Errorf("%d pull requests: %+v", len(pulls), pulls)
	}
}
