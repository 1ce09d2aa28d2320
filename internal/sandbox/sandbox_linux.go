package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Sandbox runs commands behind one fence.
type Sandbox struct {
	fence   Fence
	self    string // this binary
	bwrap   string
	tempDir string
}

// New finds the strongest fence that works on this machine by running a command in it.
// Its error says why each one failed and what would make it work.
func New(opts Options) (*Sandbox, error) {
	self := opts.Executable
	if self == "" {
		var err error
		if self, err = os.Executable(); err != nil {
			return nil, fmt.Errorf("find the program itself, which has to run inside the sandbox: %w", err)
		}
	}
	tempDir := opts.TempDir
	if tempDir == "" {
		tempDir = os.TempDir()
	}
	var fences []Fence
	switch {
	case opts.Only == FenceNone && !opts.AllowWeak:
		return nil, errors.New("no fence was asked for, but that was not allowed")
	case opts.Only != "":
		fences = []Fence{opts.Only}
	default:
		fences = []Fence{FenceBubblewrap, FenceNamespaces}
		if opts.AllowWeak {
			fences = append(fences, FenceNone)
		}
	}
	var failures []string
	for _, fence := range fences {
		s := &Sandbox{fence: fence, self: self, tempDir: tempDir}
		err := s.probe()
		if err == nil {
			return s, nil
		}
		failures = append(failures, fmt.Sprintf("%s: %v", fence, err))
	}
	advice := []string{"install bubblewrap (apt install bubblewrap, dnf install bubblewrap)"}
	return nil, fmt.Errorf("no sandbox works here, and candidate code is not run without one\n  %s\nwhat helps:\n  %s",
		strings.Join(failures, "\n  "), strings.Join(append(advice, kernelAdvice(os.ReadFile)...), "\n  "))
}

// Fence says what holds the commands of this sandbox.
func (s *Sandbox) Fence() Fence { return s.fence }

// probe runs the smallest command there is.
func (s *Sandbox) probe() error {
	if s.fence == FenceBubblewrap {
		path, err := exec.LookPath("bwrap")
		if err != nil {
			return errors.New("bwrap is not installed")
		}
		s.bwrap = path
	}
	dir, err := os.MkdirTemp(s.tempDir, "remediator-probe-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	r, err := s.Run(ctx, Spec{Dir: dir, Command: []string{"true"}, Env: map[string]string{"PATH": "/usr/bin:/bin"}})
	if err != nil {
		return err
	}
	if r.Code != 0 || r.Killed != "" {
		return fmt.Errorf("a trial command ended with status %d %s: %s", r.Code, r.Killed, strings.TrimSpace(r.Output))
	}
	return nil
}

// kernelAdvice names the switches of the kernel that stand in the way, of those known to.
func kernelAdvice(read func(string) ([]byte, error)) []string {
	is := func(path, value string) bool {
		data, err := read(path)
		return err == nil && strings.TrimSpace(string(data)) == value
	}
	var advice []string
	if is("/proc/sys/kernel/unprivileged_userns_clone", "0") {
		advice = append(advice, "allow user namespaces: sysctl -w kernel.unprivileged_userns_clone=1")
	}
	if is("/proc/sys/user/max_user_namespaces", "0") {
		advice = append(advice, "allow user namespaces: sysctl -w user.max_user_namespaces=15000")
	}
	if is("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1") {
		advice = append(advice, "AppArmor restricts user namespaces (Ubuntu 23.10 and later): give bwrap a profile with `userns,` "+
			"(package apparmor-profiles has bwrap-userns-restrict), or sysctl -w kernel.apparmor_restrict_unprivileged_userns=0")
	}
	return append(advice, "in a container: allow user namespaces and an unmasked /proc "+
		"(docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined)")
}

// Run runs a command to its end. An error means that it could not be run or that ctx ended; a
// command that failed is a Result.
func (s *Sandbox) Run(ctx context.Context, spec Spec) (Result, error) {
	p, err := s.Start(ctx, spec)
	if err != nil {
		return Result{}, err
	}
	r := p.Wait()
	if r.Killed == KilledCanceled {
		return r, fmt.Errorf("%s: %w", spec.Command[0], context.Cause(ctx))
	}
	return r, nil
}

// check fills in the defaults and refuses what cannot be held.
func (spec Spec) check() (Spec, error) {
	if len(spec.Command) == 0 {
		return spec, errors.New("no command to run")
	}
	if spec.WorkDir != "" && !filepath.IsLocal(spec.WorkDir) {
		return spec, fmt.Errorf("directory to start in %q: must lie in the working copy", spec.WorkDir)
	}
	for name, value := range spec.Env {
		if name == "" || strings.ContainsAny(name, "=\x00") || strings.Contains(value, "\x00") {
			return spec, fmt.Errorf("environment variable %q: not a name and value that a process can have", name)
		}
	}
	if len(spec.Outbound) > maxListen {
		return spec, fmt.Errorf("%d ports to the outside: at most %d", len(spec.Outbound), maxListen)
	}
	for _, port := range append(sortedKeys(spec.Outbound), spec.Inbound...) {
		if port < 1 || port > 65535 {
			return spec, fmt.Errorf("port %d: not between 1 and 65535", port)
		}
	}
	spec.Timeout = orDefault(spec.Timeout, DefaultTimeout)
	spec.Memory = min(orDefault(spec.Memory, DefaultMemory), 1<<50)
	spec.Processes = orDefault(spec.Processes, DefaultProcesses)
	spec.Disk = orDefault(spec.Disk, DefaultDisk)
	spec.Output = orDefault(spec.Output, DefaultOutput)
	return spec, nil
}

func orDefault[T int | int64 | time.Duration](value, otherwise T) T {
	if value <= 0 {
		return otherwise
	}
	return value
}
