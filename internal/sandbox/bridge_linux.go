package sandbox

import (
	"context"
	"io"
	"net"
	"os"
	"sync"
	"time"
)

// bridge carries connections that the command makes to its loopback on to listeners
// outside. It runs in the tool, on sockets that were opened inside.
type bridge struct {
	targets []net.Addr // in the order of the listening sockets
	ctx     context.Context
	cancel  context.CancelFunc
	work    sync.WaitGroup
	slots   chan struct{}

	mu        sync.Mutex
	listeners []io.Closer
}

// maxConnections bounds what a candidate that opens connections in a loop can make the tool hold.
const maxConnections = 1024

func newBridge(ports []int, outbound map[int]net.Listener) *bridge {
	b := &bridge{slots: make(chan struct{}, maxConnections)}
	b.ctx, b.cancel = context.WithCancel(context.Background())
	for _, port := range ports {
		b.targets = append(b.targets, outbound[port].Addr())
	}
	return b
}

// open takes the listening sockets over.
func (b *bridge) open(fds []int) {
	for i, fd := range fds {
		file := os.NewFile(uintptr(fd), "outbound")
		l, err := net.FileListener(file)
		file.Close()
		if err != nil || i >= len(b.targets) {
			continue
		}
		if !b.keep(l) {
			return
		}
		target := b.targets[i]
		b.work.Go(func() { b.accept(l, target) })
	}
}

func (b *bridge) accept(l net.Listener, target net.Addr) {
	for {
		select {
		case b.slots <- struct{}{}:
		case <-b.ctx.Done():
			return
		}
		in, err := l.Accept()
		if err != nil {
			return
		}
		b.work.Go(func() {
			defer func() { <-b.slots }()
			b.carry(in, target)
		})
	}
}

// carry copies both ways until both are done, passing on each side's end by itself.
func (b *bridge) carry(in net.Conn, target net.Addr) {
	defer in.Close()
	dialer := net.Dialer{Timeout: 5 * time.Second}
	out, err := dialer.DialContext(b.ctx, target.Network(), target.String())
	if err != nil {
		// The command sees a reset, as it would from a dependency that is down.
		if tcp, ok := in.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		return
	}
	defer out.Close()
	stop := context.AfterFunc(b.ctx, func() {
		in.Close()
		out.Close()
	})
	defer stop()
	var both sync.WaitGroup
	both.Go(func() { pour(out, in) })
	both.Go(func() { pour(in, out) })
	both.Wait()
}

func pour(to, from net.Conn) {
	if _, err := io.Copy(to, from); err != nil {
		// A broken side must show on the other, not look like an orderly end.
		if tcp, ok := to.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0)
		}
		to.Close()
		from.Close()
		return
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		_ = half.CloseWrite()
	}
}

// keep remembers what close has to close; false when it is closed already.
func (b *bridge) keep(c io.Closer) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ctx.Err() != nil {
		c.Close()
		return false
	}
	b.listeners = append(b.listeners, c)
	return true
}

func (b *bridge) close() {
	b.mu.Lock()
	b.cancel()
	for _, c := range b.listeners {
		c.Close()
	}
	b.mu.Unlock()
	b.work.Wait()
}
