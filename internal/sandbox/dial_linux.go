package sandbox

import (
	"context"
	"fmt"
	"net"
	"os"
	"slices"

	"golang.org/x/sys/unix"
)

// Dial connects to a TCP port on the loopback inside; the Spec must name it as inbound.
func (p *Process) Dial(ctx context.Context, insidePort int) (net.Conn, error) {
	if !slices.Contains(p.spec.Inbound, insidePort) {
		return nil, fmt.Errorf("port %d is not among the inbound ports %v", insidePort, p.spec.Inbound)
	}
	waiting := make(chan dialed, 1)
	p.mu.Lock()
	if p.gone {
		p.mu.Unlock()
		return nil, fmt.Errorf("connect to port %d: %w", insidePort, errEnded)
	}
	p.nextID++
	id := p.nextID
	p.dials[id] = waiting
	p.mu.Unlock()
	if err := p.control.send(message{Kind: kindDial, ID: id, Port: insidePort}); err != nil {
		p.mu.Lock()
		delete(p.dials, id)
		p.mu.Unlock()
		return nil, fmt.Errorf("connect to port %d: %w", insidePort, errEnded)
	}
	select {
	case d := <-waiting:
		if d.err != nil {
			return nil, fmt.Errorf("connect to port %d inside: %w", insidePort, d.err)
		}
		file := os.NewFile(uintptr(d.fd), "inbound")
		defer file.Close()
		return net.FileConn(file)
	case <-ctx.Done():
		p.mu.Lock()
		_, pending := p.dials[id]
		delete(p.dials, id)
		p.mu.Unlock()
		if !pending { // answered meanwhile
			if d := <-waiting; d.err == nil {
				unix.Close(d.fd)
			}
		}
		return nil, context.Cause(ctx)
	}
}
