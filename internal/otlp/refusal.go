package otlp

import (
	"net/http"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
)

// The reasons for which something is refused, as a [Watcher] is told.
const (
	ReasonUnauthorized = "unauthorized"
	ReasonMalformed    = "malformed"
	ReasonTooDeep      = "too_deep" // nested too deeply, or too many empty items
	ReasonTooLarge     = "too_large"
	ReasonTooSlow      = "too_slow"
	ReasonUnsupported  = "unsupported"
	ReasonBusy         = "busy"        // too much under way at once; the sender comes again
	ReasonUnavailable  = "unavailable" // the log did not take it; the sender comes again
	ReasonTime         = "time"        // items older than what is kept, or far in the future
)

// refusal is why a request was not taken, in the terms of both transports. Its text is the package's own: nothing
// of the request is repeated in it.
type refusal struct {
	reason string
	http   int
	grpc   codes.Code
	retry  time.Duration // when to come again, 0 when that would not help
	text   string
}

func (r *refusal) Error() string { return r.text }

// Status is the answer of both transports: gRPC sends it, HTTP has it in the body.
func (r *refusal) Status() *status.Status {
	s := status.New(r.grpc, r.text)
	if r.retry > 0 {
		if with, err := s.WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(r.retry)}); err == nil {
			return with
		}
	}
	return s
}

func unauthorized() *refusal {
	return &refusal{reason: ReasonUnauthorized, http: http.StatusUnauthorized, grpc: codes.Unauthenticated, text: "send the bearer token of this receiver in the Authorization header"}
}

func malformed(text string) *refusal {
	return &refusal{reason: ReasonMalformed, http: http.StatusBadRequest, grpc: codes.InvalidArgument, text: text}
}

func tooDeep(err error) *refusal {
	return &refusal{reason: ReasonTooDeep, http: http.StatusBadRequest, grpc: codes.InvalidArgument, text: err.Error()}
}

func tooLarge() *refusal {
	return &refusal{reason: ReasonTooLarge, http: http.StatusRequestEntityTooLarge, grpc: codes.InvalidArgument, text: "the export is too large once decompressed; send smaller batches"}
}

func tooSlow() *refusal {
	return &refusal{reason: ReasonTooSlow, http: http.StatusRequestTimeout, grpc: codes.DeadlineExceeded, text: "the export did not arrive in time; send smaller batches"}
}

// busy asks to come again in a second: what is under way is answered in milliseconds, so that is
// no longer than it takes to calm down.
func busy() *refusal {
	return &refusal{reason: ReasonBusy, http: http.StatusTooManyRequests, grpc: codes.ResourceExhausted, retry: time.Second, text: "too many exports at once; send again later"}
}

// unavailable asks to come again in five seconds, about what a cluster takes to elect a leader.
func unavailable() *refusal {
	return &refusal{reason: ReasonUnavailable, http: http.StatusServiceUnavailable, grpc: codes.Unavailable, retry: 5 * time.Second, text: "telemetry cannot be stored now; send again later"}
}
