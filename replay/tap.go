package replay

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/remediator/remediator/telemetry"
)

// tap is a forwarding HTTP handler that reports each exchange it saw.
type tap struct {
	target    *url.URL
	transport http.RoundTripper
	maxBody   int64
	now       func() time.Time
	// stamp gives a request without trace context one; nil leaves it without.
	stamp func(r *http.Request) traceparent
	// report is called when the exchange is over.
	report func(tapped)
	// abort makes the caller see a transport error as it is; otherwise it gets 502.
	abort bool
}

// tapped is one exchange as it was on the wire, before redaction.
type tapped struct {
	start      time.Time
	latency    time.Duration
	context    traceparent
	hasContext bool
	method     string
	path       string
	query      string
	header     http.Header
	body       []byte
	status     int
	respHeader http.Header
	respBody   []byte
	err        string // "refused", "reset", "timeout"
	truncated  bool
}

func (t *tap) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := tapped{start: t.now(), method: r.Method, path: r.URL.EscapedPath(), query: r.URL.RawQuery, header: r.Header.Clone()}
	if x.path == "" {
		x.path = "/"
	}
	x.context, x.hasContext = parseTraceparent(r.Header.Get("Traceparent"))
	if !x.hasContext && t.stamp != nil {
		x.context, x.hasContext = t.stamp(r), true
	}
	body, cut, rest, err := readBounded(r.Body, t.maxBody)
	if err != nil {
		http.Error(w, "reading the request failed", http.StatusBadRequest)
		return
	}
	x.body, x.truncated = body, cut

	out := r.Clone(r.Context())
	out.RequestURI = ""
	out.URL.Scheme, out.URL.Host = t.target.Scheme, t.target.Host
	out.Host = t.target.Host
	if cut {
		out.Body = io.NopCloser(io.MultiReader(bytes.NewReader(body), rest))
	} else {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.ContentLength = int64(len(body))
		out.TransferEncoding = nil
		if len(body) == 0 {
			out.Body = http.NoBody
		}
	}
	dropHopHeaders(out.Header)
	// What is recorded has to be readable, so nothing compressed is asked for.
	out.Header.Del("Accept-Encoding")
	if x.hasContext {
		out.Header.Set("Traceparent", x.context.String())
	}
	resp, err := t.transport.RoundTrip(out)
	if err != nil {
		x.latency = t.now().Sub(x.start)
		x.err = transportError(r.Context(), err)
		t.report(x)
		if t.abort {
			abortConnection(w)
			return
		}
		http.Error(w, "the service did not answer: "+x.err, http.StatusBadGateway)
		return
	}
	defer resp.Body.Close()
	answer, cut, rest, err := readBounded(resp.Body, t.maxBody)
	x.latency = t.now().Sub(x.start)
	x.status, x.respHeader, x.respBody = resp.StatusCode, resp.Header.Clone(), answer
	x.truncated = x.truncated || cut
	if err != nil {
		x.err = transportError(r.Context(), err)
	}
	// Reported before the caller hears of it, so that a caller who has its answer finds it recorded.
	t.report(x)
	if err != nil {
		abortConnection(w)
		return
	}
	dropHopHeaders(resp.Header)
	for k, vs := range resp.Header {
		w.Header()[k] = vs
	}
	w.WriteHeader(resp.StatusCode)
	_, _ = w.Write(answer)
	if cut {
		_, _ = io.Copy(w, rest)
	}
}

// readBounded reads up to limit bytes; cut says that there is more, which rest continues with.
func readBounded(in io.Reader, limit int64) (data []byte, cut bool, rest io.Reader, err error) {
	if in == nil {
		return nil, false, nil, nil
	}
	data, err = io.ReadAll(io.LimitReader(in, limit+1))
	if err != nil {
		return data, false, nil, err
	}
	return data, int64(len(data)) > limit, in, nil
}

// hopHeaders concern one connection only (RFC 9110, section 7.6.1).
var hopHeaders = []string{"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer", "Transfer-Encoding", "Upgrade"}

func dropHopHeaders(h http.Header) {
	for _, v := range h.Values("Connection") {
		for name := range strings.SplitSeq(v, ",") {
			h.Del(strings.TrimSpace(name))
		}
	}
	for _, name := range hopHeaders {
		h.Del(name)
	}
}

// transportError names why there was no answer in the three words of the format.
func transportError(ctx context.Context, err error) string {
	var timeout net.Error
	switch {
	case ctx.Err() != nil, errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "timeout" // also: the caller gave up waiting
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	}
	return "reset"
}

// abortConnection ends the connection with a reset, as a crashed peer would.
func abortConnection(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			if tcp, ok := conn.(*net.TCPConn); ok {
				_ = tcp.SetLinger(0)
			}
			_ = conn.Close()
			return
		}
	}
	panic(http.ErrAbortHandler)
}

// callOf turns an outgoing exchange into what a golden set holds.
func (x *tapped) callOf(peer string, route string, redact *Redactor) Downstream {
	d := Downstream{Peer: peer, Request: x.request(route, redact), Latency: Duration(x.latency), Error: x.err}
	if x.err == "" {
		d.Response = x.response(redact)
	}
	return d
}

func (x *tapped) request(route string, redact *Redactor) Request {
	if route == "" {
		route = telemetry.NormalRoute(x.path)
	}
	return Request{
		Method: x.method, Route: redact.Text(route), Path: redact.Text(x.path), Query: redact.Query(x.query),
		Headers: keepHeaders(x.header, requestNoise, redact), Body: redact.keep(x.body, x.header.Get("Content-Type")),
	}
}

func (x *tapped) response(redact *Redactor) Response {
	return Response{Status: x.status, Headers: keepHeaders(x.respHeader, responseNoise, redact), Body: redact.keep(x.respBody, x.respHeader.Get("Content-Type"))}
}

// keep redacts a body on its way into a golden set.
func (r *Redactor) keep(data []byte, contentType string) []byte {
	switch {
	case r == nil || len(data) == 0:
	case strings.HasPrefix(strings.ToLower(strings.TrimSpace(contentType)), "application/x-www-form-urlencoded"):
		data = []byte(r.Query(string(data)))
	case !utf8.Valid(data): // once it is base64 no rule sees into it
		data = []byte(r.Text(string(data)))
	}
	return r.Body(keepBody(data, contentType))
}

// requestNoise and responseNoise are headers that describe the connection, the moment or
// the client library rather than the exchange.
var (
	requestNoise = map[string]bool{
		"traceparent": true, "tracestate": true, "baggage": true, "user-agent": true, "content-length": true, "accept-encoding": true, "host": true,
		"connection": true, "date": true, "x-forwarded-for": true, "x-forwarded-host": true, "x-forwarded-proto": true, "x-real-ip": true, "forwarded": true, "via": true,
		"b3": true, "x-b3-traceid": true, "x-b3-spanid": true, "x-b3-sampled": true, "x-b3-parentspanid": true, "uber-trace-id": true, "keep-alive": true, "te": true, "expect": true,
	}
	responseNoise = map[string]bool{
		"date": true, "content-length": true, "connection": true, "server": true, "traceparent": true, "tracestate": true, "traceresponse": true, "server-timing": true, "age": true,
		"x-trace-id": true, "x-runtime": true, "x-response-time": true, "via": true, "keep-alive": true, "transfer-encoding": true, "x-envoy-upstream-service-time": true,
	}
)

func keepHeaders(h http.Header, noise map[string]bool, redact *Redactor) map[string]string {
	out := map[string]string{}
	for k, vs := range h {
		name := strings.ToLower(k)
		if noise[name] {
			continue
		}
		out[name] = redact.Header(name, strings.Join(vs, ", "))
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
