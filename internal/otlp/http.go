package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"

	"github.com/remediator/remediator/telemetry"
)

const (
	typeProto = "application/x-protobuf"
	typeJSON  = "application/json"
)

// zstdWindow bounds the memory that a zstd body may ask for; senders use 8 MiB at most.
const zstdWindow = 8 << 20

// Handler is the receiver as an http.Handler for /v1/traces, /v1/logs and /v1/metrics.
func (r *Receiver) Handler() http.Handler { return http.HandlerFunc(r.serve) }

func (r *Receiver) serve(w http.ResponseWriter, req *http.Request) {
	signal := telemetry.Signal(strings.TrimPrefix(strings.TrimSuffix(req.URL.Path, "/"), "/v1/"))
	if r.batch[signal] == nil || !strings.HasPrefix(req.URL.Path, "/v1/") {
		http.Error(w, "send to /v1/traces, /v1/logs or /v1/metrics", http.StatusNotFound)
		return
	}
	if req.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "OTLP exports are sent with POST", http.StatusMethodNotAllowed)
		return
	}
	media, _, _ := mime.ParseMediaType(req.Header.Get("Content-Type"))
	asJSON := media == typeJSON
	answer, err := r.export(w, req, signal, media)
	if err != nil {
		r.refuse(w, req, signal, asJSON, err)
		return
	}
	w.Header().Set("Content-Type", media)
	_, _ = w.Write(answer)
}

// export takes one request.
func (r *Receiver) export(w http.ResponseWriter, req *http.Request, signal telemetry.Signal, media string) ([]byte, error) {
	if !r.allowed(req.Header.Get("Authorization")) {
		return nil, unauthorized()
	}
	if media != typeProto && media != typeJSON {
		return nil, &refusal{reason: ReasonUnsupported, http: http.StatusUnsupportedMediaType, text: "send application/x-protobuf or application/json"}
	}
	if req.ContentLength > r.o.MaxRequest {
		return nil, tooLarge()
	}
	share := r.budget.enter()
	if share == nil {
		return nil, busy()
	}
	defer share.leave()
	// A writer that knows no deadlines is a test's; servers know them.
	_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(r.o.ReadTimeout))
	body, err := r.body(req, share)
	if err != nil {
		return nil, err
	}
	return r.accept(req.Context(), signal, "http", body, media == typeJSON)
}

// body reads the body, decompressed and bounded, so that a bomb stays small.
func (r *Receiver) body(req *http.Request, share *share) ([]byte, error) {
	// What arrives is bounded too: a bomb may also be one that grows when it is compressed.
	raw := io.LimitReader(req.Body, r.o.MaxRequest+1)
	in, done, err := r.bodies.open(strings.ToLower(strings.TrimSpace(req.Header.Get("Content-Encoding"))), raw)
	if err == nil {
		defer done()
		var body []byte
		if body, err = io.ReadAll(&reader{Reader: in, share: share, left: r.o.MaxRequest}); err == nil {
			return body, nil
		}
	}
	var known *refusal
	var timeout net.Error
	switch {
	case errors.As(err, &known):
		return nil, known
	case errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout():
		return nil, tooSlow()
	case req.Context().Err() != nil:
		return nil, req.Context().Err()
	case errors.Is(err, zstd.ErrWindowSizeExceeded) || errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, tooLarge()
	}
	return nil, malformed("the body cannot be read as its Content-Encoding says")
}

// refuse answers with a google.rpc.Status, as OTLP asks for.
func (r *Receiver) refuse(w http.ResponseWriter, req *http.Request, signal telemetry.Signal, asJSON bool, err error) {
	var known *refusal
	if !errors.As(err, &known) {
		return // the sender went away
	}
	r.o.Watch.Refused(string(signal), "http", known.reason, 0)
	if known.retry > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(known.retry/time.Second)))
	}
	if known.http == http.StatusUnauthorized {
		w.Header().Set("WWW-Authenticate", `Bearer realm="otlp"`)
	}
	media, encode := typeProto, proto.Marshal
	if asJSON {
		media, encode = typeJSON, protojson.Marshal
	}
	body, _ := encode(known.Status().Proto())
	w.Header().Set("Content-Type", media)
	w.WriteHeader(known.http)
	_, _ = w.Write(body)
}

// decompressors are kept for the next request, since they are larger than most exports.
type decompressors struct{ gzip, zstd sync.Pool }

func (d *decompressors) open(encoding string, in io.Reader) (io.Reader, func(), error) {
	switch encoding {
	case "", "identity":
		return in, func() {}, nil
	case "gzip":
		z, _ := d.gzip.Get().(*gzip.Reader)
		if z == nil {
			z = new(gzip.Reader)
		}
		if err := z.Reset(in); err != nil {
			return nil, nil, err
		}
		return z, func() { d.gzip.Put(z) }, nil
	case "zstd":
		z, _ := d.zstd.Get().(*zstd.Decoder)
		if z == nil {
			var err error
			if z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow)); err != nil {
				return nil, nil, err
			}
		}
		if err := z.Reset(in); err != nil {
			return nil, nil, err
		}
		return z, func() { _ = z.Reset(nil); d.zstd.Put(z) }, nil
	}
	return nil, nil, &refusal{reason: ReasonUnsupported, http: http.StatusUnsupportedMediaType, text: "only gzip, zstd or no compression is understood"}
}

// serveHTTP answers on a listener until ctx ends.
func (r *Receiver) serveHTTP(ctx context.Context, l net.Listener) error {
	if r.o.TLS != nil {
		c := r.o.TLS.Clone()
		c.NextProtos = []string{"h2", "http/1.1"}
		l = tls.NewListener(l, c)
	}
	s := &http.Server{
		Handler: r.Handler(),
		// Headers come at once; bodies have a deadline of their own, set when they are read.
		ReadHeaderTimeout: min(r.o.ReadTimeout, 10*time.Second),
		ReadTimeout:       r.o.ReadTimeout,
		WriteTimeout:      r.o.ReadTimeout + r.o.AppendTimeout + 10*time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    16 << 10,
		ErrorLog:          nil,
	}
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.o.StopTimeout)
		defer cancel()
		if s.Shutdown(grace) != nil {
			_ = s.Close()
		}
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
