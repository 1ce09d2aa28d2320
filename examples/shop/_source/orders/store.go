package orders

import (
	"crypto/rand"
	"encoding/hex"
	"sync"
)

// keep is how many orders are remembered; the oldest are forgotten first.
const keep = 10_000

// store remembers orders until the fulfilment has fetched them.
type store struct {
	mu     sync.Mutex
	orders map[string]Order
	oldest []string
}

func newStore() *store { return &store{orders: make(map[string]Order)} }

func (s *store) put(o Order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.orders[o.ID] = o
	s.oldest = append(s.oldest, o.ID)
	if len(s.oldest) > keep {
		delete(s.orders, s.oldest[0])
		s.oldest = s.oldest[1:]
	}
}

func (s *store) get(id string) (Order, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.orders[id]
	return o, ok
}

// newID makes an order's number, which nobody can guess.
func newID() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails
	return "ord-" + hex.EncodeToString(b[:])
}
