package localize

import (
	"fmt"
	"math"

	"github.com/remediator/remediator/telemetry"
)

// messageConstants judge how many messages are taken up.
type messageConstants struct {
	weight, more, fewer float64
	sure, present       slope
}

func (c *messageConstants) list(t *table) {
	t.num(&c.weight, "messages.weight", 3.0, "nats for a consumer that takes up far more or far fewer messages than are sent", "")
	t.num(&c.more, "messages.more", 1.5, "times the healthy number of deliveries per message sent", "")
	t.num(&c.fewer, "messages.fewer", 0.5, "part of the healthy number of deliveries per message sent", "")
	t.slope(&c.sure, "messages.sure", 3, 6, "z score of the two rates", "")
	t.slope(&c.present, "messages.present", 4, 7, "z score of the two rates from which something is wrong", "")
}

// intake counts what one consumer takes up of one destination.
type intake struct {
	service, destination string
	op                   int32
	cur, base            float64
}

// findMessages compares what consumers take up with what is sent to the same destination. A consumer that
// does not acknowledge gets the same message again and again, one that stopped or lags gets none;
// nothing fails or is slow then (Hohpe and Woolf, Enterprise Integration Patterns, 2003, on
// guaranteed delivery and idempotent receivers).
func (a *analysis) findMessages() {
	sent := map[string]*[2]float64{}
	taken := map[edgeKey]*intake{}
	var order []edgeKey
	for n, w := range []*window{a.base, a.cur} {
		for t := range w.traces {
			tr, recs := &w.traces[t], w.recs[t]
			for i, s := range tr.Spans {
				if kind := recs[i].facts.kind(); kind != telemetry.KindProducer && kind != telemetry.KindConsumer || n == 1 && s.Start < a.onset {
					continue
				}
				d := telemetry.NormalName(s.Attrs.Get(telemetry.AttrMsgDestination))
				if d == "" {
					continue
				}
				if s.Kind == telemetry.KindProducer {
					if sent[d] == nil {
						sent[d] = &[2]float64{}
					}
					sent[d][n]++
					continue
				}
				if p := tr.Parent(i); p >= 0 && tr.Spans[p].Kind == telemetry.KindConsumer {
					continue // a part of taking up the same message
				}
				k := edgeKey{d, s.Resource.Service}
				c := taken[k]
				if c == nil {
					c = &intake{service: s.Resource.Service, destination: d, op: recs[i].op}
					taken[k] = c
					order = append(order, k)
				}
				if n == 0 {
					c.base++
				} else {
					c.cur++
				}
			}
		}
	}
	k := &a.k.messages
	for _, key := range order {
		c := taken[key]
		s := sent[c.destination]
		if s == nil || min(s[0], s[1]) < a.k.window.enough || c.base < a.k.sequence.learned {
			continue
		}
		now, before := c.cur/s[1], c.base/s[0]
		z := zRate(c.cur, s[1], c.base, s[0])
		if now < k.more*before && now > k.fewer*before {
			continue
		}
		op := &a.ops.list[c.op]
		text := fmt.Sprintf("%s takes up %.3g messages per message sent to %s, %.3g when healthy", c.service, now, c.destination, before)
		if now < before {
			text += ": it stopped or lags behind"
		} else {
			text += ": the same ones come again, as they do when they are not acknowledged"
		}
		a.misdelivered = max(a.misdelivered, k.present.of(math.Abs(z)))
		a.board.addOp(c.service, op.name, c.destination, c.op, Reason{Signal: "messages", Text: text, Value: now, Baseline: before, Weight: k.weight * k.sure.of(math.Abs(z))})
	}
}
