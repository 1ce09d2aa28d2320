package localize

import "github.com/remediator/remediator/telemetry"

// outcome is what a span's status means.
type outcome uint8

const (
	fine outcome = iota
	// refused is a correct "no": validation, authorization, not found, conflict, or a caller
	// that went away. It is not a fault, whatever the instrumentation called it.
	refused
	failed
)

// judge tells faults from refusals. The rule for HTTP and gRPC codes follows the codes'
// definitions (RFC 9110 section 15.5; gRPC status codes): the caller has to change its
// request. 408, 425 and 429 are left out of the refusals, because they tell of the callee's
// state.
func judge(s *telemetry.Span) outcome { return judgeBy(s, s.HTTPStatus(), s.RPCStatus()) }

// judgeBy is judge for codes that were looked up.
func judgeBy(s *telemetry.Span, code int, rpc string) outcome {
	if code >= 400 && code < 500 {
		switch code {
		case 408, 425, 429:
			return failed
		}
		return refused
	} else if code >= 500 {
		return failed
	}
	switch rpc {
	case "CANCELLED", "INVALID_ARGUMENT", "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "FAILED_PRECONDITION",
		"OUT_OF_RANGE", "UNAUTHENTICATED":
		return refused
	case "UNKNOWN", "DEADLINE_EXCEEDED", "RESOURCE_EXHAUSTED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS":
		return failed
	}
	if s.Status != telemetry.StatusError {
		return fine
	}
	if isCancellation(s) {
		return refused
	}
	return failed
}

// isCancellation says that a failed span only tells that its caller went away.
func isCancellation(s *telemetry.Span) bool {
	switch s.Attrs.Get(telemetry.AttrErrorType) {
	case "context.Canceled", "CancelledError", "asyncio.exceptions.CancelledError", "AbortError", "499":
		return true
	}
	if e := s.Exception(); e != nil {
		switch e.Attrs.Get(telemetry.AttrExceptionType) {
		case "asyncio.exceptions.CancelledError", "java.util.concurrent.CancellationException", "AbortError":
			return true
		}
	}
	return s.Message == "context canceled"
}
