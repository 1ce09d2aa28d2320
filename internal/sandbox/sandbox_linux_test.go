package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestRunReportsStatusAndInterleavedOutput(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		r := mustRun(t, s, shell(t, "echo one; echo two >&2; echo three; exit 7"))
		if r.Code != 7 || r.Output != "one\ntwo\nthree\n" || r.Killed != "" || r.Dropped != 0 {
			t.Errorf("got %+v", r)
		}
		if r.Elapsed <= 0 || r.Elapsed > 10*time.Second {
			t.Errorf("elapsed %v", r.Elapsed)
		}
	})
}

func TestSignalGives128PlusItsNumber(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		if r := mustRun(t, s, shell(t, "kill -ABRT $$")); r.Code != 134 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestWritableAndReadOnlyDirectories(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		scratch, shown := t.TempDir(), t.TempDir()
		if err := os.WriteFile(filepath.Join(shown, "module"), []byte("content"), 0o644); err != nil {
			t.Fatal(err)
		}
		spec := shell(t, fmt.Sprintf(`echo a > here && echo b > %s/there && cat %s/module && ! (echo c > %[2]s/module) 2>/dev/null && pwd`, scratch, shown))
		if err := os.Mkdir(filepath.Join(spec.Dir, "sub"), 0o755); err != nil {
			t.Fatal(err)
		}
		spec.WorkDir, spec.Scratch, spec.ReadOnly = "sub", []string{scratch}, []string{shown}
		r := mustRun(t, s, spec)
		if want := "content" + filepath.Join(spec.Dir, "sub") + "\n"; r.Code != 0 || r.Output != want {
			t.Fatalf("got %+v, want output %q", r, want)
		}
		for _, path := range []string{filepath.Join(spec.Dir, "sub", "here"), filepath.Join(scratch, "there")} {
			if _, err := os.Stat(path); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestEnvironmentIsTheGivenOneAlone(t *testing.T) {
	t.Setenv("REMEDIATOR_CANARY", "secret")
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := Spec{Dir: t.TempDir(), Command: []string{"/usr/bin/env"}, Env: map[string]string{"B": "2", "A": "1"}}
		if r := mustRun(t, s, spec); r.Output != "A=1\nB=2\n" {
			t.Errorf("got %q", r.Output)
		}
	})
}

func TestProgramIsFoundByTheCommandsOwnPath(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := Spec{Dir: t.TempDir(), Command: []string{"true"}, Env: map[string]string{"PATH": "/nowhere"}}
		_, err := s.Run(context.Background(), spec)
		if err == nil || !strings.Contains(err.Error(), "true is not among the programs") || !strings.Contains(err.Error(), "read_only") {
			t.Errorf("got %v", err)
		}
	})
}

func TestTimeout(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := shell(t, "echo started; sleep 1000")
		spec.Timeout = 300 * time.Millisecond
		r := mustRun(t, s, spec)
		if !r.TimedOut || r.Killed != KilledTime || r.Output != "started\n" || r.Code == 0 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestContextEndsTheProcess(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		ctx, cancel := context.WithCancel(context.Background())
		p, err := s.Start(ctx, shell(t, "sleep 1000"))
		if err != nil {
			t.Fatal(err)
		}
		cancel()
		if r := p.Wait(); r.Killed != KilledCanceled {
			t.Errorf("got %+v", r)
		}
		if _, err := s.Run(ctx, shell(t, "true")); !errors.Is(err, context.Canceled) {
			t.Errorf("run with a context that is over: %v", err)
		}
	})
}

func TestStopAsksFirst(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		p, err := s.Start(context.Background(), shell(t, `trap 'echo flushed; exit 0' TERM; echo ready; while :; do sleep 0.05; done`))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the command is ready", func() bool { return strings.Contains(p.Output(), "ready") })
		r, err := p.Stop(context.Background(), 10*time.Second)
		if err != nil || r.Code != 0 || !strings.Contains(r.Output, "flushed") || r.Killed != "" {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func TestStopForcesAfterGrace(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		p, err := s.Start(context.Background(), shell(t, `trap '' TERM; echo ready; while :; do sleep 0.05; done`))
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "the command is ready", func() bool { return strings.Contains(p.Output(), "ready") })
		r, err := p.Stop(context.Background(), 50*time.Millisecond)
		if err != nil || r.Killed != KilledStopped {
			t.Errorf("got %+v, %v", r, err)
		}
	})
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func TestInboundReachesAServiceInside(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		port := freePort(t)
		spec := attackSpec(t, "serve", fmt.Sprint(port))
		spec.Inbound = []int{port}
		p, err := s.Start(context.Background(), spec)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Stop(context.Background(), 0)
		client := &http.Client{Transport: &http.Transport{
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return p.Dial(ctx, port) },
		}}
		defer client.CloseIdleConnections()
		var body []byte
		eventually(t, "the service answers: "+p.Output(), func() bool {
			resp, err := client.Get("http://service/")
			if err != nil {
				return false
			}
			defer resp.Body.Close()
			body, err = io.ReadAll(resp.Body)
			return err == nil
		})
		if string(body) != "served from inside" {
			t.Errorf("got %q", body)
		}
		if _, err := p.Dial(context.Background(), port+1); err == nil || !strings.Contains(err.Error(), "not among the inbound ports") {
			t.Errorf("dial of another port: %v", err)
		}
	})
}

func TestDialFailsClearly(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		port := freePort(t)
		spec := shell(t, "sleep 1000")
		spec.Inbound = []int{port}
		p, err := s.Start(context.Background(), spec)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Dial(context.Background(), port); err == nil || !strings.Contains(err.Error(), "refused") {
			t.Errorf("nothing listens: %v", err)
		}
		if _, err := p.Stop(context.Background(), time.Second); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Dial(context.Background(), port); !errors.Is(err, errEnded) {
			t.Errorf("after the end: %v", err)
		}
	})
}

func TestOutboundReachesAListenerOutside(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		outside := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			fmt.Fprintf(w, "stand-in got %d bytes", len(body))
		}))
		defer outside.Close()
		port := freePort(t)
		spec := attackSpec(t, "post", fmt.Sprintf("http://127.0.0.1:%d/", port), "100000")
		spec.Outbound = map[int]net.Listener{port: outside.Listener}
		if r := mustRun(t, s, spec); r.Code != 0 || r.Output != "stand-in got 100000 bytes\n" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestOutboundToADeadListenerIsAReset(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		l.Close()
		port := freePort(t)
		spec := attackSpec(t, "post", fmt.Sprintf("http://127.0.0.1:%d/", port), "1")
		spec.Outbound = map[int]net.Listener{port: l}
		if r := mustRun(t, s, spec); r.Code != 1 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestPortInUseIsNamed(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	s, err := New(Options{Only: FenceNone, AllowWeak: true})
	if err != nil {
		t.Fatal(err)
	}
	in, out := shell(t, "true"), shell(t, "true")
	in.Inbound = []int{port}
	out.Outbound = map[int]net.Listener{port: other}
	for name, spec := range map[string]Spec{"inbound": in, "outbound": out} {
		_, err := s.Run(context.Background(), spec)
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("port %d", port)) || !strings.Contains(err.Error(), "in use") {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Where the listener itself holds the port, it needs no bridge.
	out.Outbound = map[int]net.Listener{port: l}
	if r := mustRun(t, s, out); r.Code != 0 {
		t.Errorf("direct: %+v", r)
	}
}

func TestTwoSandboxesMayUseTheSamePort(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		for _, side := range []string{"base", "patched"} {
			spec := attackSpec(t, "serve", "8080")
			spec.Inbound = []int{8080}
			p, err := s.Start(context.Background(), spec)
			if err != nil {
				t.Fatal(side, err)
			}
			defer p.Stop(context.Background(), 0)
			eventually(t, side+" answers", func() bool {
				conn, err := p.Dial(context.Background(), 8080)
				if err == nil {
					conn.Close()
				}
				return err == nil
			})
		}
	})
}

func TestSpecIsChecked(t *testing.T) {
	s := &Sandbox{fence: FenceNone, tempDir: t.TempDir(), self: "/bin/true"}
	dir := t.TempDir()
	home, _ := os.UserHomeDir()
	ok := []string{"true"}
	for name, tc := range map[string]struct {
		spec Spec
		want string
	}{
		"no command":        {Spec{Dir: dir}, "no command"},
		"relative":          {Spec{Dir: "x", Command: ok}, "not an absolute path"},
		"missing":           {Spec{Dir: dir + "/x", Command: ok}, "no such file"},
		"work dir escapes":  {Spec{Dir: dir, WorkDir: "../x", Command: ok}, "must lie in the working copy"},
		"root":              {Spec{Dir: "/", Command: ok}, "holds other things"},
		"home as read-only": {Spec{Dir: dir, ReadOnly: []string{home}, Command: ok}, "refused"},
		"sockets":           {Spec{Dir: dir, Scratch: []string{"/run/"}, Command: ok}, "kernel or to running services"},
		"port":              {Spec{Dir: dir, Inbound: []int{70000}, Command: ok}, "70000"},
		"environment":       {Spec{Dir: dir, Env: map[string]string{"A=B": ""}, Command: ok}, "A=B"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := s.Run(context.Background(), tc.spec)
			if err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("got %v, want %q", err, tc.want)
			}
		})
	}
}

func TestNewSaysWhyEachFenceFailed(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	_, err := New(Options{Executable: "/usr/bin/false"})
	if err == nil {
		t.Fatal("a sandbox whose inner process fails at once was accepted")
	}
	for _, want := range []string{"bubblewrap: bwrap is not installed", "namespaces: ", "apt install bubblewrap"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is missing in: %v", want, err)
		}
	}
	if _, err := New(Options{Only: FenceNone}); err == nil {
		t.Error("no fence without AllowWeak")
	}
}

func TestWeakFenceOnlyWhenAllowedAndNothingElseWorks(t *testing.T) {
	s, err := New(Options{AllowWeak: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Options{}); err == nil && s.Fence() == FenceNone {
		t.Error("took no fence although one works")
	}
}

func TestKernelAdviceNamesTheSwitch(t *testing.T) {
	for path, want := range map[string]string{
		"/proc/sys/kernel/apparmor_restrict_unprivileged_userns": "AppArmor",
		"/proc/sys/kernel/unprivileged_userns_clone":             "unprivileged_userns_clone=1",
		"/proc/sys/user/max_user_namespaces":                     "max_user_namespaces",
	} {
		value := "0\n"
		if strings.Contains(path, "apparmor") {
			value = "1\n"
		}
		advice := strings.Join(kernelAdvice(func(p string) ([]byte, error) {
			if p == path {
				return []byte(value), nil
			}
			return nil, os.ErrNotExist
		}), "\n")
		if !strings.Contains(advice, want) {
			t.Errorf("%s: got %q", path, advice)
		}
	}
}

func TestNothingIsLeftBehind(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		s.tempDir = t.TempDir()
		mustRun(t, s, shell(t, "echo x > /tmp/file-of-the-candidate; true"))
		if _, err := s.Start(context.Background(), Spec{Dir: t.TempDir(), Command: []string{"/nonexistent"}}); err == nil {
			t.Error("started what does not exist")
		}
		left, err := os.ReadDir(s.tempDir)
		if err != nil || len(left) > 0 {
			t.Errorf("left %v, %v", left, err)
		}
	})
	os.Remove("/tmp/file-of-the-candidate")
}
