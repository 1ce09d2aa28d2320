package queue

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

// table is a key-value bucket in the layout of NATS ADR-8, so that `nats kv` reads it. It is
// written here and not by the client's own type for two reasons: reads go to the leader, so that
// nobody decides on a value that was overtaken, and a write whose answer was lost is recognised
// as one's own.
type table struct {
	q      *Queue
	stream jetstream.Stream
	kv     jetstream.KeyValue // to list and watch
	prefix string             // of subjects
}

// Headers of ADR-8.
const (
	operation      = "KV-Operation"
	deleted, purge = "DEL", "PURGE"
)

// value is what a table holds under a key; nil data means that there is nothing.
type value struct {
	key      string
	data     []byte
	revision uint64 // also of the trace that a deletion left
}

func (q *Queue) openTable(ctx context.Context, bucket, description string) (*table, error) {
	t := &table{q: q, prefix: "$KV." + bucket + "."}
	var err error
	t.stream, err = q.openStream(ctx, jetstream.StreamConfig{
		Name:              "KV_" + bucket,
		Description:       description,
		Subjects:          []string{t.prefix + ">"},
		MaxMsgsPerSubject: 1,
		Discard:           jetstream.DiscardNew,
		DenyDelete:        true,
		AllowRollup:       true,
		AllowMsgTTL:       true,
	})
	if err != nil {
		return nil, err
	}
	t.kv, err = again(ctx, q, func(ctx context.Context) (jetstream.KeyValue, error) { return q.js.KeyValue(ctx, bucket) })
	return t, err
}

// get returns what is there, or a value without data.
func (t *table) get(ctx context.Context, key string) (value, error) {
	v, _, err := t.last(ctx, key)
	return v, err
}

// last is get, and the id under which the value was written.
func (t *table) last(ctx context.Context, key string) (value, string, error) {
	v := value{key: key}
	subject, err := t.subject(key)
	if err != nil {
		return v, "", err
	}
	m, err := again(ctx, t.q, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return t.stream.GetLastMsgForSubject(ctx, subject)
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return v, "", nil
	}
	if err != nil {
		return v, "", err
	}
	v.revision = m.Sequence
	if !isDeletion(m.Header) {
		v.data = m.Data
		if v.data == nil {
			v.data = []byte{}
		}
	}
	return v, m.Header.Get(jetstream.MsgIDHeader), nil
}

func isDeletion(h nats.Header) bool {
	return h.Get(operation) == deleted || h.Get(operation) == purge || h.Get(jetstream.MarkerReasonHeader) != ""
}

// set writes data, or deletes where it is nil, if revision is still the one of what is there; 0
// means that nothing is there. It returns the new revision, or ErrConflict.
func (t *table) set(ctx context.Context, key string, data []byte, revision uint64) (uint64, error) {
	subject, err := t.subject(key)
	if err != nil {
		return 0, err
	}
	expected := revision
	for range 3 {
		m := nats.NewMsg(subject)
		m.Data = data
		m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(expected, 10))
		if data == nil {
			markDeleted(m)
		}
		ack, err := t.q.publish(ctx, m)
		if err == nil {
			return ack.Sequence, nil
		}
		if !isConflict(err) {
			return 0, err
		}
		now, id, err := t.last(ctx, key)
		switch {
		case err != nil:
			return 0, err
		case id == m.Header.Get(jetstream.MsgIDHeader):
			return now.revision, nil // ours: the answer to an earlier attempt was lost
		case revision == 0 && now.data == nil && now.revision != expected:
			expected = now.revision // nothing but the trace of a deletion
		default:
			return 0, docket.ErrConflict
		}
	}
	return 0, docket.ErrConflict
}

// remove deletes a key whatever it holds; ErrNotFound if it holds nothing.
func (t *table) remove(ctx context.Context, key string) error {
	now, err := t.get(ctx, key)
	if err != nil {
		return err
	}
	if now.data == nil {
		return docket.ErrNotFound
	}
	m := nats.NewMsg(t.prefix + escape(key))
	markDeleted(m)
	_, err = t.q.publish(ctx, m)
	return err
}

func markDeleted(m *nats.Msg) {
	m.Header.Set(operation, purge)
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	m.Header.Set(jetstream.MsgTTLHeader, markerAge.String())
}

func isConflict(err error) bool {
	var api *jetstream.APIError
	return errors.As(err, &api) &&
		(api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequence || api.ErrorCode == jetstream.JSErrCodeStreamWrongLastSequenceConstant)
}

// list calls found for every value; the values themselves are left out where only keys are wanted.
// What was written before it is called is in it: in a cluster the values come from any of the
// replicas, which may be behind the leader, so it goes on until the replica has what the leader had.
func (t *table) list(ctx context.Context, keysOnly bool, found func(value)) error {
	info, err := again(ctx, t.q, func(ctx context.Context) (*jetstream.StreamInfo, error) { return t.stream.Info(ctx) })
	if err != nil {
		return err
	}
	last := info.State.LastSeq
	var options []jetstream.WatchOpt
	if keysOnly {
		options = append(options, jetstream.MetaOnly())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w, err := again(ctx, t.q, func(context.Context) (jetstream.KeyWatcher, error) { return t.kv.WatchAll(ctx, options...) })
	if err != nil {
		return err
	}
	defer stop(w)
	all := map[string]jetstream.KeyValueEntry{}
	var seen uint64
	var behind <-chan time.Time
	for complete := false; !complete || seen < last; {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-behind:
			// It may have gone for its age meanwhile.
			if last, err = t.newest(ctx, last); err != nil {
				return err
			}
			behind = time.After(attemptTimeout)
		case e, ok := <-w.Updates():
			if !ok {
				return errClosed
			}
			if e != nil {
				seen = max(seen, e.Revision())
				all[e.Key()] = e
				continue
			}
			// The server can count too few entries where one goes at the moment at which the watch
			// begins, and calls it complete before it has sent any: so the newest one is waited for.
			complete = true
			if seen < last {
				if last, err = t.newest(ctx, last); err != nil {
					return err
				}
				behind = time.After(attemptTimeout)
			}
		}
	}
	for _, e := range all {
		if e.Operation() != jetstream.KeyValuePut {
			continue
		}
		if key, ok := unescape(e.Key()); ok {
			found(value{key: key, data: e.Value(), revision: e.Revision()})
		} else {
			t.q.opts.Log.Warn("left out an entry that is not ours", "bucket", t.kv.Bucket(), "key", e.Key())
		}
	}
	return nil
}

// newest returns the highest revision up to last from which on the leader has anything, 0 for
// none: the trace of a deletion goes after a while, and leaves nothing at its number.
func (t *table) newest(ctx context.Context, last uint64) (uint64, error) {
	low, high := uint64(0), last+1 // something is there from low on (or low is 0), and nothing from high on
	for step := uint64(0); high-low > 1; step = step*2 + 1 {
		// Gallop back from the end, where it mostly is, then halve.
		middle := max(low+(high-low)/2, high-min(high, step+1))
		there, err := t.has(ctx, middle)
		if err != nil {
			return 0, err
		}
		if there {
			low = middle
		} else {
			high = middle
		}
	}
	return low, nil
}

// has says whether the leader has anything from a revision on.
func (t *table) has(ctx context.Context, revision uint64) (bool, error) {
	_, err := again(ctx, t.q, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return t.stream.GetMsg(ctx, revision, jetstream.WithGetMsgSubject(t.prefix+">"))
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return false, nil
	}
	return err == nil, err
}

// watch calls changed for every change from now on until ctx ends. It returns once it watches;
// done is called at the end.
func (t *table) watch(ctx context.Context, changed func(value), done func()) error {
	info, err := again(ctx, t.q, func(ctx context.Context) (*jetstream.StreamInfo, error) { return t.stream.Info(ctx) })
	if err != nil {
		return err
	}
	// By number and not "from now on": after a lost connection it then goes on where it was.
	from := jetstream.ResumeFromRevision(info.State.LastSeq + 1)
	w, err := again(ctx, t.q, func(context.Context) (jetstream.KeyWatcher, error) { return t.kv.WatchAll(ctx, from) })
	if err != nil {
		return err
	}
	go func() {
		defer done()
		defer stop(w)
		for {
			select {
			case <-ctx.Done():
				return
			case <-t.q.closing:
				return
			case e, ok := <-w.Updates():
				if !ok {
					return
				}
				if e == nil {
					continue // the end of what was there at the start
				}
				key, ok := unescape(e.Key())
				if !ok {
					continue
				}
				v := value{key: key, revision: e.Revision()}
				if e.Operation() == jetstream.KeyValuePut {
					v.data = append([]byte{}, e.Value()...)
				}
				changed(v)
			}
		}
	}()
	return nil
}

// stop ends a watch and takes what is left, since the client blocks on handing it over.
func stop(w jetstream.KeyWatcher) {
	if w.Stop() != nil {
		return
	}
	go func() {
		for range w.Updates() {
		}
	}()
}

func (t *table) subject(key string) (string, error) {
	if key == "" || len(key) > 512 {
		return "", fmt.Errorf("a key of %d bytes cannot be stored; use 1 to 512", len(key))
	}
	return t.prefix + escape(key), nil
}

// escape makes a legal key out of any text: what is not a letter, digit, - or _ becomes = and two
// hex digits. A prefix of the text so becomes a prefix of the key.
func escape(text string) string {
	const hex = "0123456789abcdef"
	var b strings.Builder
	for i := range len(text) {
		c := text[i]
		if 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_' {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('=')
		b.WriteByte(hex[c>>4])
		b.WriteByte(hex[c&15])
	}
	return b.String()
}

// unescape undoes escape, and refuses what escape does not make.
func unescape(key string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		if key[i] != '=' {
			b.WriteByte(key[i])
			continue
		}
		if i+2 >= len(key) {
			return "", false
		}
		n, err := strconv.ParseUint(key[i+1:i+3], 16, 8)
		if err != nil {
			return "", false
		}
		b.WriteByte(byte(n))
		i += 2
	}
	text := b.String()
	return text, text != "" && escape(text) == key
}
