package dockettest

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/remediator/remediator/remedy/docket"
)

// Memory keeps records, claims, blobs and tasks for all processes of a test.
type Memory struct {
	// Tries is how often a task is delivered before it is a dead letter, Backoff the delay after its
	// first failure, which doubles with each further one.
	Tries   int
	Backoff time.Duration

	clock *Clock
	mu    sync.Mutex
	rev   uint64
	// records holds encoded records, so that nobody shares one with the store.
	records map[string]entry
	claims  map[string]entry
	blobs   map[string][]byte
	watches map[chan *docket.Record]context.Context
	queue   queue
}

type entry struct {
	data []byte
	rev  uint64
}

// NewMemory returns an empty memory. Without a clock it goes by the real time.
func NewMemory(clock *Clock) *Memory {
	return &Memory{Tries: 5, Backoff: time.Second, clock: clock, records: map[string]entry{}, claims: map[string]entry{}, blobs: map[string][]byte{},
		watches: map[chan *docket.Record]context.Context{}, queue: newQueue()}
}

func (m *Memory) now() time.Time {
	if m.clock == nil {
		return time.Now()
	}
	return m.clock.Now()
}

// As is the memory as a process uses it: Store, Claims, Blobs and Queue.
func (m *Memory) As(p *Process) *View { return &View{m: m, p: p} }

// View is a [Memory] through a [Process].
type View struct {
	m *Memory
	p *Process
}

var (
	_ docket.Store  = (*View)(nil)
	_ docket.Claims = (*View)(nil)
	_ docket.Blobs  = (*View)(nil)
	_ docket.Queue  = (*View)(nil)
)

// read runs what only reads, unless the process is dead or the context over.
func (v *View) read(ctx context.Context, do func() error) error {
	if err := v.p.alive(); err != nil {
		return err
	}
	return v.locked(ctx, do)
}

// write runs one step.
func (v *View) write(ctx context.Context, step string, do func() error) error {
	return v.p.step(step, func() error { return v.locked(ctx, do) })
}

func (v *View) locked(ctx context.Context, do func() error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	v.m.mu.Lock()
	defer v.m.mu.Unlock()
	return do()
}

// Get implements [docket.Store].
func (v *View) Get(ctx context.Context, fingerprint string) (r *docket.Record, err error) {
	err = v.read(ctx, func() error {
		e, ok := v.m.records[fingerprint]
		if !ok {
			return fmt.Errorf("record %s: %w", fingerprint, docket.ErrNotFound)
		}
		r, err = docket.DecodeRecord(fingerprint, e.data, e.rev)
		return err
	})
	return r, err
}

// Put implements [docket.Store].
func (v *View) Put(ctx context.Context, r *docket.Record) error {
	return v.write(ctx, "put "+string(r.Stage), func() error {
		if v.m.records[r.Fingerprint].rev != r.Revision {
			return fmt.Errorf("record %s: %w", r.Fingerprint, docket.ErrConflict)
		}
		data, err := docket.EncodeRecord(r)
		if err != nil {
			return err
		}
		v.m.rev++
		v.m.records[r.Fingerprint] = entry{data, v.m.rev}
		r.Revision = v.m.rev
		v.m.tell(r.Fingerprint)
		return nil
	})
}

// Delete implements [docket.Store].
func (v *View) Delete(ctx context.Context, fingerprint string) error {
	return v.write(ctx, "delete", func() error {
		if _, ok := v.m.records[fingerprint]; !ok {
			return fmt.Errorf("record %s: %w", fingerprint, docket.ErrNotFound)
		}
		delete(v.m.records, fingerprint)
		v.m.tell(fingerprint)
		return nil
	})
}

// Damage overwrites what is stored of a record.
func (m *Memory) Damage(fingerprint string, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.rev++
	m.records[fingerprint] = entry{data, m.rev}
}

// List implements [docket.Store].
func (v *View) List(ctx context.Context) (out []*docket.Record, err error) {
	err = v.read(ctx, func() error {
		for fp, e := range v.m.records {
			r, err := docket.DecodeRecord(fp, e.data, e.rev)
			if err != nil {
				r = docket.Damaged(fp, err)
			}
			out = append(out, r)
		}
		return nil
	})
	slices.SortFunc(out, func(a, b *docket.Record) int {
		if c := b.LastAlert.Compare(a.LastAlert); c != 0 {
			return c
		}
		return strings.Compare(a.Fingerprint, b.Fingerprint)
	})
	return out, err
}

// Watch implements [docket.Store].
func (v *View) Watch(ctx context.Context) (<-chan *docket.Record, error) {
	ch := make(chan *docket.Record, 1024)
	err := v.read(ctx, func() error {
		v.m.watches[ch] = ctx
		return nil
	})
	context.AfterFunc(ctx, func() {
		v.m.mu.Lock()
		defer v.m.mu.Unlock()
		delete(v.m.watches, ch)
		close(ch)
	})
	return ch, err
}

// tell sends the record as it is now to all who watch; who does not read falls behind and misses.
func (m *Memory) tell(fingerprint string) {
	for ch, ctx := range m.watches {
		if ctx.Err() != nil {
			continue
		}
		r := &docket.Record{Schema: docket.RecordSchema, Fingerprint: fingerprint}
		if e, ok := m.records[fingerprint]; ok {
			var err error
			if r, err = docket.DecodeRecord(fingerprint, e.data, e.rev); err != nil {
				r = docket.Damaged(fingerprint, err)
			}
		}
		select {
		case ch <- r:
		default:
		}
	}
}

// Claim implements [docket.Claims].
func (v *View) Claim(ctx context.Context, key string) (value []byte, revision uint64, err error) {
	err = v.read(ctx, func() error {
		e := v.m.claims[key]
		value, revision = bytes.Clone(e.data), e.rev
		return nil
	})
	return value, revision, err
}

// SetClaim implements [docket.Claims].
func (v *View) SetClaim(ctx context.Context, key string, value []byte, revision uint64) error {
	return v.write(ctx, "claim", func() error {
		if v.m.claims[key].rev != revision {
			return fmt.Errorf("claim %s: %w", key, docket.ErrConflict)
		}
		if value == nil {
			delete(v.m.claims, key)
			return nil
		}
		v.m.rev++
		v.m.claims[key] = entry{bytes.Clone(value), v.m.rev}
		return nil
	})
}

// ClaimKeys implements [docket.Claims].
func (v *View) ClaimKeys(ctx context.Context, prefix string) (out []string, err error) {
	err = v.read(ctx, func() error {
		out = withPrefix(v.m.claims, prefix)
		return nil
	})
	return out, err
}

// PutBlob implements [docket.Blobs].
func (v *View) PutBlob(ctx context.Context, name string, r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	return v.write(ctx, "blob", func() error {
		v.m.blobs[name] = data
		return nil
	})
}

// Blob implements [docket.Blobs].
func (v *View) Blob(ctx context.Context, name string) (r io.ReadCloser, err error) {
	err = v.read(ctx, func() error {
		data, ok := v.m.blobs[name]
		if !ok {
			return fmt.Errorf("blob %s: %w", name, docket.ErrNotFound)
		}
		r = io.NopCloser(bytes.NewReader(data))
		return nil
	})
	return r, err
}

// DeleteBlob implements [docket.Blobs].
func (v *View) DeleteBlob(ctx context.Context, name string) error {
	return v.write(ctx, "delete blob", func() error {
		if _, ok := v.m.blobs[name]; !ok {
			return fmt.Errorf("blob %s: %w", name, docket.ErrNotFound)
		}
		delete(v.m.blobs, name)
		return nil
	})
}

// BlobNames implements [docket.Blobs].
func (v *View) BlobNames(ctx context.Context, prefix string) (out []string, err error) {
	err = v.read(ctx, func() error {
		out = withPrefix(v.m.blobs, prefix)
		return nil
	})
	return out, err
}

func withPrefix[T any](m map[string]T, prefix string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		if strings.HasPrefix(k, prefix) {
			out = append(out, k)
		}
	}
	return out
}
