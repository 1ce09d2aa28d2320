package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The process inside finds these open.
const (
	controlFD = 3 // one message per packet, with descriptors riding along
	setupFD   = 4 // a memory file with the setup
)

// The hidden first arguments of this binary. The first builds the namespaces fence and becomes the second.
const (
	argFence = "__remediator-fence"
	argInit  = "__remediator-init"
)

// setup is what the process inside is to do.
type setup struct {
	Fence     Fence
	Private   string  // where the namespaces fence mounts its root
	Mounts    []mount // of the namespaces fence
	Dir       string  // where the command starts
	Command   []string
	Env       []string
	Memory    int64
	Processes int
	FileSize  int64
	Listen    []int // ports inside whose listening sockets go out
}

// message is one packet on the control socket.
type message struct {
	Kind   string        `json:"kind"`
	ID     int           `json:"id,omitempty"`
	Port   int           `json:"port,omitempty"`
	Error  string        `json:"error,omitempty"`
	PID    int           `json:"pid,omitempty"` // of the command, as the process inside sees it
	Code   int           `json:"code,omitempty"`
	Killed string        `json:"killed,omitempty"`
	Grace  time.Duration `json:"grace,omitempty"`
}

// From inside: ready carries the listening sockets in the order of setup.Listen, dialed one
// connection or an error, failed says why the command could not be started, exit how it ended.
// From outside: dial, stop (ask, then force after Grace), kill (at once).
const (
	kindReady   = "ready"
	kindStarted = "started"
	kindFailed  = "failed"
	kindDialed  = "dialed"
	kindExit    = "exit"
	kindDial    = "dial"
	kindStop    = "stop"
	kindKill    = "kill"
)

// maxListen bounds the descriptors in one packet; the kernel's own limit is 253.
const maxListen = 128

// control is one end of the socket between the tool and the process inside.
type control struct {
	conn *net.UnixConn
	mu   sync.Mutex // writes
}

// controlPair is the tool's end and the file to give to the process inside.
func controlPair() (*control, *os.File, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("control socket: %w", err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "control")
	ours, err := newControl(fds[0])
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	return ours, theirs, nil
}

// newControl takes the descriptor over.
func newControl(fd int) (*control, error) {
	file := os.NewFile(uintptr(fd), "control")
	defer file.Close()
	conn, err := net.FileConn(file)
	if err != nil {
		return nil, fmt.Errorf("control socket: %w", err)
	}
	unixConn, ok := conn.(*net.UnixConn)
	if !ok {
		conn.Close()
		return nil, fmt.Errorf("control socket: descriptor %d is a %T", fd, conn)
	}
	return &control{conn: unixConn}, nil
}

func (c *control) send(m message, fds ...int) error {
	data, err := json.Marshal(m)
	if err != nil {
		return err
	}
	var rights []byte
	if len(fds) > 0 {
		rights = unix.UnixRights(fds...)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _, err = c.conn.WriteMsgUnix(data, rights, nil)
	return err
}

// receive waits for one packet. The descriptors belong to the caller. At the end, when the other
// side is gone, the error is io.EOF.
func (c *control) receive() (message, []int, error) {
	data := make([]byte, 32<<10)
	rights := make([]byte, unix.CmsgSpace(4*maxListen))
	n, rn, flags, _, err := c.conn.ReadMsgUnix(data, rights)
	if err != nil {
		return message{}, nil, err
	}
	fds, err := parseRights(rights[:rn])
	if err != nil {
		return message{}, nil, err
	}
	if n == 0 {
		closeAll(fds)
		return message{}, nil, io.EOF
	}
	if flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0 {
		closeAll(fds)
		return message{}, nil, fmt.Errorf("control packet longer than %d bytes", len(data))
	}
	var m message
	if err := json.Unmarshal(data[:n], &m); err != nil {
		closeAll(fds)
		return message{}, nil, fmt.Errorf("control packet: %w", err)
	}
	return m, fds, nil
}

func parseRights(data []byte) ([]int, error) {
	if len(data) == 0 {
		return nil, nil
	}
	messages, err := unix.ParseSocketControlMessage(data)
	if err != nil {
		return nil, err
	}
	var fds []int
	for i := range messages {
		got, err := unix.ParseUnixRights(&messages[i])
		if err != nil {
			closeAll(fds)
			return nil, err
		}
		fds = append(fds, got...)
	}
	for _, fd := range fds {
		unix.CloseOnExec(fd)
	}
	return fds, nil
}

func closeAll(fds []int) {
	for _, fd := range fds {
		unix.Close(fd)
	}
}

// setupFile puts the setup in memory, so that the environment of the command is never on a disk or
// on a command line.
func setupFile(s setup) (*os.File, error) {
	data, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	fd, err := unix.MemfdCreate("setup", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("memory file for the setup: %w", err)
	}
	file := os.NewFile(uintptr(fd), "setup")
	if _, err := file.Write(data); err != nil {
		file.Close()
		return nil, fmt.Errorf("memory file for the setup: %w", err)
	}
	return file, nil
}

// readSetup reads from the start whatever the offset and leaves the descriptor open, because two
// stages read it.
func readSetup() (setup, error) {
	var s setup
	var info unix.Stat_t
	if err := unix.Fstat(setupFD, &info); err != nil {
		return s, errors.New("this command is for the tool's own use; see --help for the others")
	}
	data := make([]byte, info.Size)
	for at := 0; at < len(data); {
		n, err := unix.Pread(setupFD, data[at:], int64(at))
		if err != nil || n == 0 {
			return s, fmt.Errorf("setup ends after %d of %d bytes: %v", at, len(data), err)
		}
		at += n
	}
	return s, json.Unmarshal(data, &s)
}
