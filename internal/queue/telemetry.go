package queue

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"
)

// Headers of an entry in the log of telemetry. They bound the times of what is in the payload, so
// that looking for a window does not decode what is outside.
const (
	fromHeader = "Remediator-From"
	toHeader   = "Remediator-To"
	setHeader  = "Remediator-Set"   // the entry that this is a part of
	partHeader = "Remediator-Part"  // its number, from 0
	ofHeader   = "Remediator-Parts" // how many there are
)

const (
	// skew is how far the senders' clocks may be ahead: telemetry arrives after it happened, so
	// what arrived earlier than a window's begin less this cannot belong to it.
	skew = 10 * time.Minute
	// headRoom is what headers and the protocol take of the largest payload.
	headRoom = 4 << 10
	// fetchBatch bounds what is in memory while a window is read, with maxPayload.
	fetchBatch = 8
	// largestEntry bounds an entry put together from parts.
	largestEntry = 64 << 20
)

var signalForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,31}$`)

func telemetryConfig(o Options) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:        o.Prefix + "-telemetry",
		Description: "rolling window of telemetry",
		Subjects:    []string{o.Prefix + ".telemetry.*"},
		MaxAge:      o.TelemetryAge,
		MaxBytes:    o.TelemetryBytes,
		Discard:     jetstream.DiscardOld,
		// Its loss in a crash costs a second of telemetry; syncing every export would cost the disk.
		PersistMode: jetstream.AsyncPersistMode,
	}
}

// Append adds a payload, opaque here, whose data lie between from and to. What is larger than one
// message may be is stored in parts.
func (q *Queue) Append(ctx context.Context, signal string, from, to time.Time, payload []byte) error {
	if !signalForm.MatchString(signal) {
		return fmt.Errorf("telemetry of the signal %.40q is not kept; use lower-case letters", signal)
	}
	if to.Before(from) {
		return fmt.Errorf("telemetry that ends %s before it begins", from.Sub(to))
	}
	if len(payload) > largestEntry {
		return fmt.Errorf("telemetry of %d bytes in one piece; split what is above %d", len(payload), largestEntry)
	}
	part := int(q.conn.MaxPayload()) - headRoom
	parts := max(1, (len(payload)+part-1)/part)
	set := ""
	if parts > 1 {
		set = nuid.Next()
	}
	for i := range parts {
		m := nats.NewMsg(q.opts.Prefix + ".telemetry." + signal)
		m.Data = payload[i*part : min((i+1)*part, len(payload))]
		m.Header.Set(fromHeader, strconv.FormatInt(from.UnixNano(), 10))
		m.Header.Set(toHeader, strconv.FormatInt(to.UnixNano(), 10))
		if set != "" {
			m.Header.Set(setHeader, set)
			m.Header.Set(partHeader, strconv.Itoa(i))
			m.Header.Set(ofHeader, strconv.Itoa(parts))
		}
		if _, err := q.publish(ctx, m); err != nil {
			return fmt.Errorf("keeping telemetry: %w", err)
		}
	}
	return nil
}

// Range calls fn for every payload whose data overlap the time from from to to, in the order of
// arrival, up to what was there when it was called. What is dropped for age or size meanwhile is
// left out.
func (q *Queue) Range(ctx context.Context, signal string, from, to time.Time, fn func(payload []byte) error) error {
	if !signalForm.MatchString(signal) {
		return fmt.Errorf("there is no telemetry of the signal %.40q", signal)
	}
	info, err := again(ctx, q, func(ctx context.Context) (*jetstream.StreamInfo, error) { return q.telemetry.Info(ctx) })
	if err != nil {
		return fmt.Errorf("reading telemetry: %w", err)
	}
	start := from.Add(-skew)
	c := &cursor{
		q: q, last: info.State.LastSeq, from: from.UnixNano(), to: to.UnixNano(), fn: fn, sets: map[string]*partSet{},
		config: jetstream.ConsumerConfig{
			FilterSubject:     q.opts.Prefix + ".telemetry." + signal,
			AckPolicy:         jetstream.AckNonePolicy,
			MemoryStorage:     true,
			Replicas:          1,
			InactiveThreshold: time.Minute,
			DeliverPolicy:     jetstream.DeliverByStartTimePolicy,
			OptStartTime:      &start,
		},
	}
	for !c.done {
		if err := c.read(ctx); err != nil {
			return err
		}
	}
	return nil
}

// cursor reads the log with one consumer after another: one that the connection took with it is
// replaced by one that begins behind what was seen.
type cursor struct {
	q        *Queue
	config   jetstream.ConsumerConfig
	last     uint64 // sequence at which to end
	from, to int64
	fn       func([]byte) error
	sets     map[string]*partSet
	held     int // bytes in sets
	done     bool
}

// partSet is an entry of which some parts were seen.
type partSet struct {
	data  []byte
	parts int
}

// read reads until the end, or until the consumer is to be replaced.
func (c *cursor) read(ctx context.Context) error {
	consumer, err := again(ctx, c.q, func(ctx context.Context) (jetstream.Consumer, error) {
		return c.q.telemetry.CreateConsumer(ctx, c.config)
	})
	if err != nil {
		return fmt.Errorf("reading telemetry: %w", err)
	}
	defer func() {
		// It would go by itself a minute later.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), attemptTimeout)
		defer cancel()
		if err := c.q.telemetry.DeleteConsumer(ctx, consumer.CachedInfo().Name); err != nil {
			c.q.opts.Log.Debug("a consumer stays until its time is over", "error", err)
		}
	}()
	for expected := uint64(1); ; {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		batch, err := consumer.FetchNoWait(fetchBatch)
		if err != nil {
			return c.pause(ctx, err)
		}
		n := 0
		for m := range batch.Messages() {
			meta, err := m.Metadata()
			if err != nil || meta.Sequence.Consumer != expected {
				// One got lost on the way.
				drain(batch)
				return c.pause(ctx, err)
			}
			n++
			expected++
			c.config.DeliverPolicy, c.config.OptStartTime = jetstream.DeliverByStartSequencePolicy, nil
			c.config.OptStartSeq = meta.Sequence.Stream + 1
			if meta.Sequence.Stream <= c.last {
				if err := c.entry(m.Headers(), m.Data()); err != nil {
					drain(batch)
					return err
				}
			}
			if meta.Sequence.Stream >= c.last {
				drain(batch)
				c.done = true
				return nil
			}
		}
		if err := batch.Error(); err != nil && !errors.Is(err, jetstream.ErrNoMessages) {
			return c.pause(ctx, err)
		}
		if n == 0 {
			c.done = true
			return nil
		}
	}
}

// pause waits a little before the next consumer; errors that stay are returned.
func (c *cursor) pause(ctx context.Context, err error) error {
	if err != nil && !passing(err) && !errors.Is(err, jetstream.ErrConsumerNotFound) && !errors.Is(err, jetstream.ErrConsumerDeleted) {
		return fmt.Errorf("reading telemetry: %w", c.q.explain(err))
	}
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(5 * firstPause):
		return nil
	}
}

func drain(b jetstream.MessageBatch) {
	for range b.Messages() {
	}
}

// entry hands a payload on if it is in the window, or keeps it until its other parts are here.
func (c *cursor) entry(h nats.Header, data []byte) error {
	from, errFrom := strconv.ParseInt(h.Get(fromHeader), 10, 64)
	to, errTo := strconv.ParseInt(h.Get(toHeader), 10, 64)
	if errFrom != nil || errTo != nil || to < c.from || from > c.to {
		return nil
	}
	set := h.Get(setHeader)
	if set == "" {
		return c.fn(data)
	}
	part, errPart := strconv.Atoi(h.Get(partHeader))
	of, errOf := strconv.Atoi(h.Get(ofHeader))
	s := c.sets[set]
	if part == 0 && s == nil {
		s = &partSet{}
		c.sets[set] = s
	}
	// A part without those before it is the rest of what was dropped for its age.
	if errPart != nil || errOf != nil || s == nil || s.parts != part || c.held+len(data) > 4*largestEntry {
		c.forget(set)
		return nil
	}
	s.data = append(s.data, data...)
	s.parts++
	c.held += len(data)
	if s.parts < of {
		return nil
	}
	c.forget(set)
	return c.fn(s.data)
}

func (c *cursor) forget(set string) {
	if s := c.sets[set]; s != nil {
		c.held -= len(s.data)
		delete(c.sets, set)
	}
}
