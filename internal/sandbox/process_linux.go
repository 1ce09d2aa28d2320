package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a command that runs behind the fence.
type Process struct {
	spec    Spec
	fence   Fence
	cmd     *exec.Cmd
	control *control
	output  *tail
	private string
	started time.Time
	bridge  *bridge
	command int // process id, meaningful out here without a process namespace only

	up     chan error // nil once the command runs, or why it does not
	ended  chan struct{}
	result Result // once ended is closed

	mu     sync.Mutex
	exit   *message
	killed string // why this side ended it
	nextID int
	dials  map[int]chan dialed
	gone   bool // the control socket is at its end
}

type dialed struct {
	fd  int
	err error
}

// How long force may take before more of it is used.
const (
	forceAfter  = time.Second     // from asking the process inside to kill the tree, to killing it
	outputAfter = 2 * time.Second // from the end of the process inside to giving up on more output
	diskPace    = 500 * time.Millisecond
)

// Start starts a command and returns once it runs. The process ends with ctx.
func (s *Sandbox) Start(ctx context.Context, spec Spec) (*Process, error) {
	spec, err := spec.check()
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	private, err := os.MkdirTemp(s.tempDir, "remediator-fence-")
	if err != nil {
		return nil, err
	}
	p := &Process{
		spec: spec, fence: s.fence, output: newTail(spec.Output), private: private,
		up: make(chan error, 1), ended: make(chan struct{}), dials: map[int]chan dialed{},
	}
	if err := s.launch(p); err != nil {
		os.RemoveAll(private)
		return nil, err
	}
	go p.enforce(ctx)
	select {
	case err = <-p.up:
	case <-p.ended:
		select {
		case err = <-p.up:
		default:
			err = errors.New("it ended before the command was started")
		}
	}
	if err != nil {
		p.kill(KilledFence)
		<-p.ended
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if out := strings.TrimSpace(p.result.Output); out != "" {
			return nil, fmt.Errorf("sandbox (%s): %w: %s", s.fence, err, out)
		}
		return nil, fmt.Errorf("sandbox (%s): %w", s.fence, err)
	}
	return p, nil
}

// launch builds the fence. When it succeeds p.ended will be closed.
func (s *Sandbox) launch(p *Process) error {
	listen, err := p.ports()
	if err != nil {
		return err
	}
	// In the order of the plan even without a fence, so that both refuse the same.
	mounts, err := plan(p.spec, s.self, p.private)
	if err != nil {
		return err
	}
	set := setup{
		Fence: s.fence, Private: p.private, Dir: filepath.Join(p.spec.Dir, p.spec.WorkDir), Command: p.spec.Command,
		Memory: p.spec.Memory, Processes: p.spec.Processes, FileSize: p.spec.Disk, Listen: listen,
	}
	for _, name := range sortedKeys(p.spec.Env) {
		set.Env = append(set.Env, name+"="+p.spec.Env[name])
	}
	attr := &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var argv []string
	switch s.fence {
	case FenceBubblewrap:
		argv = slices.Concat([]string{s.bwrap}, bubblewrapArgs(mounts), []string{"--", s.self, argInit})
	case FenceNamespaces:
		argv = []string{s.self, argFence}
		set.Mounts = mounts
		attr = namespaceAttr(os.Getuid(), os.Getgid())
	default:
		argv = []string{s.self, argInit}
		// No death signal: the end of the control socket lets the process inside clean up first.
		attr = &syscall.SysProcAttr{Setsid: true}
	}
	var theirs, file, read, write *os.File
	if p.control, theirs, err = controlPair(); err != nil {
		return err
	}
	defer theirs.Close()
	if file, err = setupFile(set); err != nil {
		p.control.conn.Close()
		return err
	}
	defer file.Close()
	if read, write, err = os.Pipe(); err != nil {
		p.control.conn.Close()
		return err
	}
	defer write.Close()
	p.cmd = &exec.Cmd{
		Path: argv[0], Args: argv, Env: []string{}, Dir: "/",
		Stdout: write, Stderr: write, ExtraFiles: []*os.File{theirs, file}, SysProcAttr: attr,
	}
	p.bridge = newBridge(listen, p.spec.Outbound)
	started := make(chan error)
	go p.live(started, read)
	if err := <-started; err != nil {
		p.control.conn.Close()
		read.Close()
		return fmt.Errorf("start the sandbox (%s): %w", s.fence, err)
	}
	return nil
}

// ports are those whose listening sockets come out. Without a network namespace the ports are
// the machine's own: one that the listener holds already leads where it should.
func (p *Process) ports() ([]int, error) {
	listen := sortedKeys(p.spec.Outbound)
	if p.fence != FenceNone {
		return listen, nil
	}
	listen = slices.DeleteFunc(listen, func(port int) bool {
		addr, ok := p.spec.Outbound[port].Addr().(*net.TCPAddr)
		return ok && addr.Port == port && (addr.IP.IsLoopback() || addr.IP.IsUnspecified())
	})
	for _, port := range p.spec.Inbound {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return nil, fmt.Errorf("port %d, which the service is to take, is in use; stop the program that holds it or configure another port", port)
		}
		l.Close()
	}
	return listen, nil
}

// live starts the process inside, and sees it through to its end. One thread does both: the kernel
// sends the death signal when the thread that started a process ends, not when the tool does.
func (p *Process) live(started chan<- error, read *os.File) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	p.started = time.Now()
	err := p.cmd.Start()
	started <- err
	if err != nil {
		return
	}
	// The other ends belong to the process inside alone from here on, or their end would never show.
	p.cmd.Stdout.(*os.File).Close()
	for _, f := range p.cmd.ExtraFiles {
		f.Close()
	}
	drained := make(chan struct{})
	go func() {
		defer close(drained)
		io.Copy(p.output, read)
	}()
	listened := make(chan struct{})
	go func() {
		defer close(listened)
		p.listen()
	}()
	_ = p.cmd.Wait()
	elapsed := time.Since(p.started)
	<-listened
	if p.exit == nil && p.fence == FenceNone && p.command > 0 {
		// No namespace takes the tree along when the process inside is shot; its group is what can be found.
		_ = unix.Kill(-p.command, unix.SIGKILL)
	}
	select {
	case <-drained:
	case <-time.After(outputAfter):
	}
	read.Close()
	<-drained
	p.bridge.close()
	p.control.conn.Close()
	os.RemoveAll(p.private)

	p.mu.Lock()
	r := Result{Code: -1, Elapsed: elapsed, Killed: p.killed}
	if p.exit != nil {
		r.Code = p.exit.Code
		r.Killed = p.exit.Killed
		if p.killed != "" {
			r.Killed = p.killed
		}
	} else if r.Killed == "" {
		r.Killed = KilledFence
	}
	r.TimedOut = r.Killed == KilledTime
	r.Output, r.Dropped = p.output.String(), p.output.Dropped()
	p.result = r
	p.mu.Unlock()
	close(p.ended)
}

// listen takes what the process inside reports, until it is gone.
func (p *Process) listen() {
	for {
		m, fds, err := p.control.receive()
		if err != nil {
			break
		}
		switch m.Kind {
		case kindReady:
			p.bridge.open(fds)
		case kindStarted:
			p.command = m.PID
			p.report(nil)
		case kindFailed:
			p.report(errors.New(m.Error))
		case kindExit:
			p.mu.Lock()
			p.exit = &m
			p.mu.Unlock()
		case kindDialed:
			p.mu.Lock()
			waiting := p.dials[m.ID]
			delete(p.dials, m.ID)
			p.mu.Unlock()
			switch {
			case waiting == nil:
				closeAll(fds)
			case m.Error != "" || len(fds) != 1:
				closeAll(fds)
				waiting <- dialed{err: errors.New(m.Error)}
			default:
				waiting <- dialed{fd: fds[0]}
			}
		default:
			closeAll(fds)
		}
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.gone = true
	for id, waiting := range p.dials {
		waiting <- dialed{err: errEnded}
		delete(p.dials, id)
	}
}

// report tells Start the outcome; only the first counts.
func (p *Process) report(err error) {
	select {
	case p.up <- err:
	default:
	}
}

var errEnded = errors.New("the process has ended")

// enforce ends the process with its time, its disk space, or ctx.
func (p *Process) enforce(ctx context.Context) {
	timer := time.NewTimer(p.spec.Timeout)
	defer timer.Stop()
	disk := time.NewTicker(diskPace)
	defer disk.Stop()
	use := newDiskUse(append([]string{p.spec.Dir}, p.spec.Scratch...))
	for {
		select {
		case <-p.ended:
			return
		case <-ctx.Done():
			p.kill(KilledCanceled)
			return
		case <-timer.C:
			p.kill(KilledTime)
			return
		case <-disk.C:
			if use.grown() > p.spec.Disk {
				p.kill(KilledDisk)
				return
			}
		}
	}
}

// kill ends the tree at once.
func (p *Process) kill(why string) {
	p.mu.Lock()
	if p.killed == "" {
		p.killed = why
	}
	p.mu.Unlock()
	_ = p.control.send(message{Kind: kindKill, Killed: why})
	select {
	case <-p.ended:
		return
	case <-time.After(forceAfter):
	}
	_ = p.cmd.Process.Kill()
}

// Wait waits for the end.
func (p *Process) Wait() Result {
	<-p.ended
	return p.result
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.ended }

// Output is the tail of what the command has written so far.
func (p *Process) Output() string { return p.output.String() }

// Stop asks the command to end with SIGTERM and, after grace, ends it by force. It waits for
// the end; when ctx is over first, force is used at once and the error is that of ctx.
func (p *Process) Stop(ctx context.Context, grace time.Duration) (Result, error) {
	_ = p.control.send(message{Kind: kindStop, Grace: grace})
	timer := time.NewTimer(grace + forceAfter)
	defer timer.Stop()
	select {
	case <-p.ended:
		return p.result, nil
	case <-timer.C:
		p.kill(KilledStopped)
		return p.Wait(), nil
	case <-ctx.Done():
		p.kill(KilledStopped)
		return p.Wait(), context.Cause(ctx)
	}
}
