package replay

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"github.com/remediator/remediator/telemetry"
)

// traceparent is the W3C Trace Context of one request.
type traceparent struct {
	trace telemetry.TraceID
	span  telemetry.SpanID
}

// parseTraceparent reads a traceparent header; false for anything malformed or all zero
// (W3C Trace Context, section 3.2).
func parseTraceparent(s string) (traceparent, bool) {
	var tp traceparent
	s = strings.TrimSpace(s)
	if len(s) < 55 || s[2] != '-' || s[35] != '-' || s[52] != '-' || s[:2] == "ff" {
		return tp, false
	}
	// Only later versions may have more fields.
	if len(s) > 55 && (s[:2] == "00" || s[55] != '-') {
		return tp, false
	}
	if strings.Trim(s[:55], "0123456789abcdef-") != "" || strings.Count(s[:55], "-") != 3 {
		return tp, false
	}
	if _, err := hex.Decode(tp.trace[:], []byte(s[3:35])); err != nil {
		return tp, false
	}
	if _, err := hex.Decode(tp.span[:], []byte(s[36:52])); err != nil {
		return tp, false
	}
	return tp, !tp.trace.IsZero() && !tp.span.IsZero()
}

// String is the header's value with the sampled flag set: an unsampled replay shows nothing.
func (tp traceparent) String() string {
	return "00-" + tp.trace.String() + "-" + tp.span.String() + "-01"
}

// newTraceparent derives ids from a seed and a number, so that a replay is deterministic
// and no two requests of it share a trace.
func newTraceparent(seed string, n int) traceparent {
	h := sha256.New()
	h.Write([]byte(seed))
	var count [8]byte
	binary.BigEndian.PutUint64(count[:], uint64(n)) // a counter
	h.Write(count[:])
	sum := h.Sum(nil)
	var tp traceparent
	copy(tp.trace[:], sum)
	copy(tp.span[:], sum[16:])
	tp.trace[0] |= 1 // never all zero
	tp.span[0] |= 1
	return tp
}
