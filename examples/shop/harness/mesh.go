package main

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"strings"
	"sync"
	"time"
)

// mesh is the network between the services: an HTTP proxy that reaches them by name. Faults of the
// network are brought about here, so that no service has code for them.
type mesh struct {
	mu     sync.RWMutex
	routes map[string]string // host:port as callers write it -> host:port as it is
	fault  fault
	proxy  *httputil.ReverseProxy
}

// fault decides what happens to a request before it reaches the named host. A fault that returns
// false has dealt with the request; the connection is closed without an answer.
type fault func(host string, r *http.Request) bool

func newMesh() *mesh {
	m := &mesh{routes: make(map[string]string)}
	m.proxy = &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			m.mu.RLock()
			defer m.mu.RUnlock()
			p.Out.URL.Scheme = "http"
			p.Out.URL.Host = m.routes[p.In.URL.Host]
			p.Out.Host = p.In.Host
		},
		Transport:    &http.Transport{MaxIdleConnsPerHost: 64, IdleConnTimeout: 2 * time.Second},
		ErrorLog:     log.New(io.Discard, "", 0),
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	return m
}

// route sends what is meant for a host to an address.
func (m *mesh) route(host, addr string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.routes[host] = addr
}

// address is where a service is reached, by the name callers use without its port.
func (m *mesh) address(name string) string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	for host, addr := range m.routes {
		if strings.HasPrefix(host, name+":") {
			return addr
		}
	}
	return ""
}

// setFault replaces the fault; nil heals the network.
func (m *mesh) setFault(f fault) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.fault = f
}

// ServeHTTP passes a request on. Where the other side cannot be reached the connection is
// closed, as it would be without a proxy in between.
func (m *mesh) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.RLock()
	f, known := m.fault, m.routes[r.URL.Host] != ""
	m.mu.RUnlock()
	if !known {
		http.Error(w, fmt.Sprintf("the mesh knows no host %q", r.URL.Host), http.StatusBadGateway)
		return
	}
	if f != nil && !f(r.URL.Host, r) {
		panic(http.ErrAbortHandler)
	}
	m.proxy.ServeHTTP(w, r)
}
