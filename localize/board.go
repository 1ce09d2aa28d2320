package localize

import (
	"math"
	"slices"
	"strings"
)

// board collects evidence for and against services and their operations.
//
// The combination is naive Bayes in log-odds: each signal adds ln(P(seen | culprit) /
// P(seen | bystander)), scaled by how strong it is in this incident. Signals of one kind are
// not independent (one fault logs many templates), so of each kind only the strongest reason for a
// service counts in full and the others little; see caseOf.odds. The posterior over services,
// with "none of them" as one more candidate, is the softmax of the sums.
type board struct {
	cases   map[string]*serviceCase
	without []string
	k       *combineConstants
	keep    bool
	log     []entered // what was entered, where it is kept
}

// entered is one call of addOp.
type entered struct {
	service, op, peer string
	id                int32
	reason            Reason
}

// serviceCase is the case against one service.
type serviceCase struct {
	k       *combineConstants
	service string
	reasons []boardReason
	ops     map[string]*opCase
	hints   []Hint
	pattern []Pattern
}

// opCase is the part of it that points to one operation.
type opCase struct {
	name, peer string
	weight     float64
	op         int32 // -1 when it is not an operation of a span
}

// boardReason is a reason with the operation it is about.
type boardReason struct {
	Reason
	op string
}

func newBoard(without []string, k *constants) *board {
	return &board{cases: map[string]*serviceCase{}, without: without, k: &k.combine}
}

func (b *board) of(service string) *serviceCase {
	c := b.cases[service]
	if c == nil {
		c = &serviceCase{k: b.k, service: service, ops: map[string]*opCase{}}
		b.cases[service] = c
	}
	return c
}

// add records a reason; weight is in nats and may be negative. Reasons too weak to say are
// dropped.
func (b *board) add(service string, r Reason) *serviceCase {
	return b.addOp(service, "", "", -1, r)
}

// addOp records a reason that points to an operation of the service.
func (b *board) addOp(service, op, peer string, id int32, r Reason) *serviceCase {
	c := b.of(service)
	if b.keep {
		b.log = append(b.log, entered{service, op, peer, id, r})
	}
	if slices.Contains(b.without, r.Signal) || math.Abs(r.Weight) < b.k.faint || math.IsNaN(r.Weight) {
		return c
	}
	c.reasons = append(c.reasons, boardReason{r, op})
	if op != "" {
		key := op + "\x00" + peer
		o := c.ops[key]
		if o == nil {
			o = &opCase{name: op, peer: peer, op: id}
			c.ops[key] = o
		}
		if o.op < 0 {
			o.op = id
		}
		o.weight += r.Weight
	}
	return c
}

// odds is the sum of the evidence in nats.
func (c *serviceCase) odds() float64 {
	strongest, others := map[string]float64{}, map[string]float64{}
	for _, r := range c.reasons {
		w := strongest[r.Signal]
		if math.Abs(r.Weight) > math.Abs(w) {
			w, r.Weight = r.Weight, w
			strongest[r.Signal] = w
		}
		others[r.Signal] += r.Weight
	}
	signals := make([]string, 0, len(strongest))
	for s := range strongest {
		signals = append(signals, s)
	}
	slices.Sort(signals) // floating-point sums depend on the order
	sum := 0.0
	for _, s := range signals {
		rest := c.k.further * others[s]
		limit := c.k.furthest * math.Abs(strongest[s])
		sum += strongest[s] + min(max(rest, -limit), limit)
	}
	return sum
}

// ranked is a case with its place.
type ranked struct {
	*serviceCase
	sum, posterior float64
}

// rank orders the cases, best first. present is the evidence that something is wrong at all,
// in nats against "none of them".
func (b *board) rank() []ranked {
	out := make([]ranked, 0, len(b.cases))
	for _, c := range b.cases {
		if s := c.odds(); s > 0 {
			out = append(out, ranked{serviceCase: c, sum: s})
		}
	}
	slices.SortFunc(out, func(x, y ranked) int {
		if x.sum != y.sum {
			if x.sum > y.sum {
				return -1
			}
			return 1
		}
		return strings.Compare(x.service, y.service)
	})
	total := 1.0 // none of them
	for i := range out {
		total += math.Exp(out[i].sum)
	}
	for i := range out {
		out[i].posterior = math.Exp(out[i].sum) / total
	}
	return out
}

// bestOps are the operations of the case, best first.
func (c *serviceCase) bestOps() []*opCase {
	out := make([]*opCase, 0, len(c.ops))
	for _, o := range c.ops {
		if o.weight > 0 {
			out = append(out, o)
		}
	}
	slices.SortFunc(out, func(a, b *opCase) int {
		if a.weight != b.weight {
			if a.weight > b.weight {
				return -1
			}
			return 1
		}
		if c := strings.Compare(a.name, b.name); c != 0 {
			return c
		}
		return strings.Compare(a.peer, b.peer)
	})
	return out
}
