package sandbox

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Init must be called first thing in main and in TestMain. In a process that was started to hold a
// fence it never returns; in any other it does nothing.
func Init() {
	if len(os.Args) < 2 {
		return
	}
	switch os.Args[1] {
	case argFence:
		runtime.LockOSThread()
		err := enterNamespaces()
		fmt.Fprintln(os.Stderr, "sandbox:", err)
		os.Exit(fenceFailed)
	case argInit:
		if err := supervise(); err != nil {
			fmt.Fprintln(os.Stderr, "sandbox:", err)
			os.Exit(fenceFailed)
		}
		// Not os.Exit, which in a program built with the race detector takes a second.
		syscall.Exit(0)
	}
}

// fenceFailed is the exit status of a process inside that could not do its work.
const fenceFailed = 125

// supervisor is the process inside: it starts the command, watches it, reaps, and reports.
type supervisor struct {
	setup   setup
	control *control
	command int // process id, also the group's

	mu     sync.Mutex
	killed string // first limit that was exceeded
}

func supervise() error {
	s, err := readSetup()
	if err != nil {
		return err
	}
	unix.Close(setupFD)
	if err := closeInherited(); err != nil {
		return err
	}
	// When the whole machine runs out of memory the candidate goes first. Not fatal: it protects
	// others, and some containers hide the file.
	_ = os.WriteFile("/proc/self/oom_score_adj", []byte("1000"), 0o644)
	// Nothing that runs beside this process may read its memory, its descriptors, or steer it.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("hide from other processes: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	// Without a process namespace, orphans of the command come here instead of to the machine's init.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("adopt orphans: %w", err)
	}
	// The command may send signals to its ancestors. They are caught and dropped: ignored ones would be
	// ignored by the command as well, which could then not be asked to stop.
	signal.Notify(make(chan os.Signal, 1))
	unix.CloseOnExec(controlFD)
	ctl, err := newControl(controlFD)
	if err != nil {
		return err
	}
	v := &supervisor{setup: s, control: ctl}
	if err := v.run(); err != nil {
		return ctl.send(message{Kind: kindFailed, Error: err.Error()})
	}
	return nil
}

// closeInherited closes what the tool was started with and Go hands on unknowingly: a directory that some
// shell left open would lead out of the fence.
func closeInherited() error {
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("find inherited descriptors: %w", err)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name.Name())
		if err != nil || fd <= setupFD {
			continue
		}
		// What this process opened itself is closed on exec.
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			unix.Close(fd)
		}
	}
	return nil
}

func (v *supervisor) run() error {
	if err := v.listen(); err != nil {
		return err
	}
	program, err := v.lookPath()
	if err != nil {
		return err
	}
	if err := v.limit(); err != nil {
		return err
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	// One thread starts the command and stays: the command's death signal is tied to it.
	runtime.LockOSThread()
	v.command, err = syscall.ForkExec(program, v.setup.Command, &syscall.ProcAttr{
		Dir:   v.setup.Dir,
		Env:   v.setup.Env,
		Files: []uintptr{null.Fd(), 1, 2},
		Sys:   &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL},
	})
	if err != nil {
		return fmt.Errorf("start %s in %s: %w", program, v.setup.Dir, err)
	}
	null.Close()
	if err := v.control.send(message{Kind: kindStarted, PID: v.command}); err != nil {
		return err
	}
	go v.obey()
	go v.watch()
	code, err := v.reap()
	if err != nil {
		return err
	}
	v.mu.Lock()
	killed := v.killed
	v.mu.Unlock()
	return v.control.send(message{Kind: kindExit, Code: code, Killed: killed})
}

// listen opens the loopback ports that lead outside and hands them over.
func (v *supervisor) listen() error {
	var fds []int
	var files []*os.File
	defer func() {
		for _, f := range files {
			f.Close()
		}
	}()
	for _, port := range v.setup.Listen {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			if errors.Is(err, unix.EADDRINUSE) {
				return fmt.Errorf("port %d is in use; stop the program that holds it or choose another port", port)
			}
			return fmt.Errorf("listen on port %d: %w", port, err)
		}
		file, err := l.(*net.TCPListener).File()
		l.Close()
		if err != nil {
			return err
		}
		files = append(files, file)
		fds = append(fds, int(file.Fd()))
	}
	return v.control.send(message{Kind: kindReady}, fds...)
}

// lookPath finds the program by the command's own PATH, not by the tool's.
func (v *supervisor) lookPath() (string, error) {
	name := v.setup.Command[0]
	if strings.Contains(name, "/") {
		if !filepath.IsAbs(name) {
			name = filepath.Join(v.setup.Dir, name)
		}
		return name, executable(name)
	}
	var path string
	for _, kv := range v.setup.Env {
		if value, ok := strings.CutPrefix(kv, "PATH="); ok {
			path = value
		}
	}
	for _, dir := range filepath.SplitList(path) {
		if filepath.IsAbs(dir) && executable(filepath.Join(dir, name)) == nil {
			return filepath.Join(dir, name), nil
		}
	}
	return "", fmt.Errorf("%s is not among the programs that the sandbox shows (PATH=%s); install it, or name the directory that holds it under read_only", name, path)
}

func executable(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if info.IsDir() || info.Mode()&0o111 == 0 {
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

// limit sets what the kernel itself enforces; the command inherits it. The watcher does the rest: RLIMIT_AS
// and RLIMIT_DATA count address space that the race detector reserves by the terabyte and never touches.
func (v *supervisor) limit() error {
	limits := []struct {
		resource int
		value    uint64
	}{
		{unix.RLIMIT_CORE, 0},
		{unix.RLIMIT_FSIZE, uint64(v.setup.FileSize)},
		// Each pipe and socket holds memory of the kernel's that no watcher sees.
		{unix.RLIMIT_NOFILE, 1 << 16},
	}
	if v.setup.Fence != FenceNone {
		// Counted per user and user namespace: inside, that is this tree. Outside it would be
		// everything the user runs. The kernel exempts root, for whom the watcher stands in.
		limits = append(limits, struct {
			resource int
			value    uint64
		}{unix.RLIMIT_NPROC, uint64(v.setup.Processes) + ownThreads})
	}
	for _, l := range limits {
		var now unix.Rlimit
		if err := unix.Getrlimit(l.resource, &now); err != nil {
			return fmt.Errorf("limit %d: %w", l.resource, err)
		}
		value := min(l.value, now.Max)
		if err := unix.Setrlimit(l.resource, &unix.Rlimit{Cur: value, Max: value}); err != nil {
			return fmt.Errorf("limit %d: %w", l.resource, err)
		}
	}
	return nil
}

// ownThreads is room for the threads of the process inside, which count too.
const ownThreads = 32

// obey does what the tool outside asks for. When the tool is gone, so is the tree.
func (v *supervisor) obey() {
	for {
		m, fds, err := v.control.receive()
		closeAll(fds)
		if err != nil {
			v.killTree()
			os.Exit(fenceFailed)
		}
		switch m.Kind {
		case kindDial:
			go v.dial(m)
		case kindStop:
			_ = unix.Kill(-v.command, unix.SIGTERM)
			time.AfterFunc(m.Grace, func() { v.kill(KilledStopped) })
		case kindKill:
			v.kill(m.Killed)
		}
	}
}

// dial opens a connection in this network namespace and hands it out.
func (v *supervisor) dial(m message) {
	answer := message{Kind: kindDialed, ID: m.ID}
	conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", m.Port), 5*time.Second)
	if err != nil {
		// A service that listens on localhost may have picked the other family.
		var err6 error
		if conn, err6 = net.DialTimeout("tcp", fmt.Sprintf("[::1]:%d", m.Port), 5*time.Second); err6 != nil {
			answer.Error = err.Error()
			_ = v.control.send(answer)
			return
		}
	}
	defer conn.Close()
	file, err := conn.(*net.TCPConn).File()
	if err != nil {
		answer.Error = err.Error()
		_ = v.control.send(answer)
		return
	}
	defer file.Close()
	_ = v.control.send(answer, int(file.Fd()))
}

// kill ends the tree because of a limit; the first reason is the one that is reported.
func (v *supervisor) kill(why string) {
	v.mu.Lock()
	if v.killed == "" {
		v.killed = why
	}
	v.mu.Unlock()
	v.killTree()
}

// killTree spares nothing but this process. Inside a process namespace one call reaches all at once;
// elsewhere the tree is walked until nothing is left that could have forked meanwhile.
func (v *supervisor) killTree() {
	if v.setup.Fence != FenceNone {
		_ = unix.Kill(-1, unix.SIGKILL)
		return
	}
	for range 100 {
		alive := descendants(os.Getpid())
		if len(alive) == 0 {
			return
		}
		for _, pid := range alive {
			_ = unix.Kill(pid, unix.SIGSTOP) // so that it forks no more while the others are found
		}
		for _, pid := range alive {
			_ = unix.Kill(pid, unix.SIGKILL)
		}
	}
}

// reap waits for the command, then for everything it left behind, which is killed.
func (v *supervisor) reap() (int, error) {
	code := -1
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			return code, nil
		case err != nil:
			return code, fmt.Errorf("wait: %w", err)
		}
		if pid == v.command {
			code = status.ExitStatus()
			if status.Signaled() {
				code = 128 + int(status.Signal())
			}
			v.killTree()
		}
	}
}
