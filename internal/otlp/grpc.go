package otlp

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // senders compress
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"

	"github.com/remediator/remediator/telemetry"
)

// services are OTLP's services by signal; each has one method, Export.
func services() map[telemetry.Signal]string {
	return map[telemetry.Signal]string{
		telemetry.Traces:  "opentelemetry.proto.collector.trace.v1.TraceService",
		telemetry.Logs:    "opentelemetry.proto.collector.logs.v1.LogsService",
		telemetry.Metrics: "opentelemetry.proto.collector.metrics.v1.MetricsService",
	}
}

// rawCodec hands messages over as bytes, so that they can be looked at before they are decoded.
type rawCodec struct{}

func (rawCodec) Name() string { return "proto" }

func (rawCodec) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.(*[]byte)
	if !ok {
		return nil, fmt.Errorf("%T is not an answer of the OTLP receiver", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(*b)}, nil
}

func (rawCodec) Unmarshal(data mem.BufferSlice, v any) error {
	b, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("%T is not a request of the OTLP receiver", v)
	}
	*b = data.Materialize()
	return nil
}

// grpcServer is the receiver as a gRPC server.
func (r *Receiver) grpcServer() *grpc.Server {
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(rawCodec{}),
		grpc.MaxRecvMsgSize(int(r.o.MaxRequest)),
		grpc.MaxConcurrentStreams(256),
		grpc.MaxHeaderListSize(16 << 10),
		grpc.ConnectionTimeout(min(r.o.ReadTimeout, 10*time.Second)),
		grpc.KeepaliveParams(keepalive.ServerParameters{MaxConnectionIdle: 10 * time.Minute, Time: time.Minute, Timeout: 20 * time.Second}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: 10 * time.Second, PermitWithoutStream: true}),
		grpc.WaitForHandlers(true),
	}
	if r.o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(r.o.TLS.Clone())))
	}
	s := grpc.NewServer(options...)
	for signal, name := range services() {
		// To the sender a call of one message and one answer looks the same whether the server streams or not. A server that
		// streams sees the headers first: no message is read for somebody without the token, nor one too many.
		s.RegisterService(&grpc.ServiceDesc{
			ServiceName: name,
			HandlerType: (*any)(nil),
			Streams: []grpc.StreamDesc{{StreamName: "Export", ServerStreams: true, ClientStreams: true,
				Handler: func(_ any, stream grpc.ServerStream) error { return r.exportGRPC(signal, stream) }}},
		}, r)
	}
	return s
}

func (r *Receiver) exportGRPC(signal telemetry.Signal, stream grpc.ServerStream) error {
	answer, err := r.receive(signal, stream)
	if err == nil {
		return stream.SendMsg(&answer)
	}
	var known *refusal
	switch {
	case errors.As(err, &known):
		r.o.Watch.Refused(string(signal), "grpc", known.reason, 0)
		return known.Status().Err()
	case stream.Context().Err() != nil:
		return status.FromContextError(stream.Context().Err()).Err()
	}
	return err
}

func (r *Receiver) receive(signal telemetry.Signal, stream grpc.ServerStream) ([]byte, error) {
	ctx := stream.Context()
	header := ""
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if v := md.Get("authorization"); len(v) == 1 {
			header = v[0]
		}
	}
	if !r.allowed(header) {
		return nil, unauthorized()
	}
	share := r.budget.enter()
	if share == nil {
		return nil, busy()
	}
	defer share.leave()
	body, err := r.message(stream)
	if err != nil {
		return nil, err
	}
	if !share.take(int64(len(body))) {
		return nil, busy()
	}
	return r.accept(ctx, signal, "grpc", body, false)
}

// message reads the one message of a call, for as long as it may take. When it takes longer the call ends, and with
// it the read.
func (r *Receiver) message(stream grpc.ServerStream) ([]byte, error) {
	type message struct {
		body []byte
		err  error
	}
	slow := time.NewTimer(r.o.ReadTimeout)
	defer slow.Stop()
	// How large a message is shows when it is here, so it is bounded how many arrive at a time.
	select {
	case r.reads <- struct{}{}:
		defer func() { <-r.reads }()
	case <-slow.C:
		return nil, busy()
	case <-stream.Context().Done():
		return nil, stream.Context().Err()
	}
	came := make(chan message, 1)
	go func() {
		var m message
		m.err = stream.RecvMsg(&m.body)
		came <- m
	}()
	select {
	case m := <-came:
		switch status.Code(m.err) {
		case codes.OK:
			return m.body, nil
		case codes.ResourceExhausted:
			return nil, tooLarge() // gRPC itself answers with this code, and without RetryInfo a sender does not come again
		case codes.Unknown, codes.Internal, codes.Unimplemented:
			return nil, malformed("the message cannot be read; send one message, uncompressed or with gzip")
		}
		return nil, m.err
	case <-slow.C:
		return nil, tooSlow()
	}
}

// serveGRPC answers on a listener until ctx ends.
func (r *Receiver) serveGRPC(ctx context.Context, l net.Listener) error {
	s := r.grpcServer()
	stopped := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(stopped)
		late := time.AfterFunc(r.o.StopTimeout, s.Stop)
		defer late.Stop()
		s.GracefulStop()
	})
	err := s.Serve(l)
	if !stop() {
		<-stopped
	}
	if ctx.Err() != nil || errors.Is(err, grpc.ErrServerStopped) {
		return nil
	}
	return err
}
