package telemetry

import "encoding/hex"

// String is the id as 32 lower-case hex digits, "" when it is absent.
func (t TraceID) String() string {
	if t.IsZero() {
		return ""
	}
	return hex.EncodeToString(t[:])
}

// IsZero says that the id is absent.
func (t TraceID) IsZero() bool { return t == TraceID{} }

// String is the id as 16 lower-case hex digits, "" when it is absent.
func (s SpanID) String() string {
	if s.IsZero() {
		return ""
	}
	return hex.EncodeToString(s[:])
}

// IsZero says that the id is absent.
func (s SpanID) IsZero() bool { return s == SpanID{} }

// String is the kind's name in lower case, "" when it is unspecified.
func (k Kind) String() string {
	switch k {
	case KindInternal:
		return "internal"
	case KindServer:
		return "server"
	case KindClient:
		return "client"
	case KindProducer:
		return "producer"
	case KindConsumer:
		return "consumer"
	}
	return ""
}

// Outgoing says that spans of this kind stand for a call to something else.
func (k Kind) Outgoing() bool { return k == KindClient || k == KindProducer }

// Incoming says that spans of this kind stand for work received from something else.
func (k Kind) Incoming() bool { return k == KindServer || k == KindConsumer }
