package otlp

import (
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// export is one decoded request of a signal.
type export interface {
	items() int
	// sift leaves out what carries an impossible time.
	sift(b bounds) sifted
	proto() ([]byte, error)
	// size is the length of proto's result.
	size() int
	// fixed is the size of what each half would repeat if the export were halved.
	fixed() int
	// halve moves about half of the items to another export; false when there is only one left.
	halve() (export, bool)
	// answer is the response, with what was left out.
	answer(asJSON bool, rejected int, why string) ([]byte, error)
}

// sifted is what sift found.
type sifted struct {
	// from and to are the first and last time, valid when anything is left.
	from, to uint64
	rejected int
	amended  bool // something was changed or left out
}

func (s *sifted) see(from, to uint64) {
	if s.from == 0 || from < s.from {
		s.from = from
	}
	s.to = max(s.to, to)
}

// bounds are the times, in Unix nanoseconds, between which an item has to lie.
type bounds struct{ oldest, newest, now uint64 }

// ahead is how far in the future a time may lie: more than clocks of machines that are looked after differ, and little
// enough that no sender can park telemetry beyond the window.
const ahead = 10 * time.Minute

func boundsAt(now time.Time, keep time.Duration) bounds {
	return bounds{oldest: nanos(now.Add(-keep)), newest: nanos(now.Add(ahead)), now: nanos(now)}
}

func nanos(t time.Time) uint64 { return uint64(max(t.UnixNano(), 1)) } // positive

func moment(t uint64) time.Time { return time.Unix(0, int64(t)).UTC() } // within bounds

func (b bounds) holds(t pcommon.Timestamp) bool {
	return uint64(t) >= b.oldest && uint64(t) <= b.newest
}

// piece is what is stored of a request: OTLP protobuf, small enough for a payload.
type piece struct {
	raw      []byte
	from, to uint64
	items    int
}

// pieces are the stored form of an export, whose protobuf form is body unless that is nil. An item that is too
// large even alone is left out and counted.
func pieces(e export, body []byte, s sifted) (out []piece, tooLarge int, err error) {
	if e.items() == 0 {
		return nil, 0, nil
	}
	if body != nil && len(body) <= pieceSize && !s.amended {
		return []piece{{body, s.from, s.to, e.items()}}, 0, nil
	}
	todo := []export{e}
	for len(todo) > 0 {
		e := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if e.items() == 0 {
			continue
		}
		if e.size() <= pieceSize {
			raw, err := e.proto()
			if err != nil {
				return nil, 0, err
			}
			out = append(out, piece{raw, s.from, s.to, e.items()})
			continue
		}
		// A resource that takes half of a payload by itself would be repeated in every piece: a small request
		// could become a large window.
		if e.fixed() <= pieceSize/2 {
			if other, ok := e.halve(); ok {
				todo = append(todo, other, e)
				continue
			}
		}
		tooLarge += e.items()
	}
	return out, tooLarge, nil
}

// secondHalf returns a test that is true from the n/2nd call on.
func secondHalf(n int) func() bool {
	i := 0
	return func() bool { i++; return i > n/2 }
}
