package queue

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/remediator/remediator/remedy/docket"
)

// Get reads one record; a record that cannot be read is an error that says so, not ErrNotFound.
func (q *Queue) Get(ctx context.Context, fingerprint string) (*docket.Record, error) {
	v, err := q.records.get(ctx, fingerprint)
	if err != nil {
		return nil, fmt.Errorf("reading case %s: %w", fingerprint, err)
	}
	if v.data == nil {
		return nil, fmt.Errorf("case %s: %w", fingerprint, docket.ErrNotFound)
	}
	return q.record(v)
}

// Put writes a record if nobody wrote since it was read.
func (q *Queue) Put(ctx context.Context, r *docket.Record) error {
	data, err := docket.EncodeRecord(r)
	if err == nil {
		data, err = q.packer.pack(data)
	}
	if err != nil {
		return fmt.Errorf("writing case %s: %w", r.Fingerprint, err)
	}
	revision, err := q.records.set(ctx, r.Fingerprint, data, r.Revision)
	if err != nil {
		return fmt.Errorf("writing case %s: %w", r.Fingerprint, err)
	}
	r.Revision = revision
	return nil
}

// Delete removes a record.
func (q *Queue) Delete(ctx context.Context, fingerprint string) error {
	if err := q.records.remove(ctx, fingerprint); err != nil {
		return fmt.Errorf("deleting case %s: %w", fingerprint, err)
	}
	return nil
}

// List returns all records, newest alert first. One that cannot be read stands there as damaged.
func (q *Queue) List(ctx context.Context) ([]*docket.Record, error) {
	var all []*docket.Record
	damaged := int64(0)
	err := q.records.list(ctx, false, func(v value) {
		r, err := q.record(v)
		if err != nil {
			damaged++
			r = docket.Damaged(v.key, err)
		}
		all = append(all, r)
	})
	if err != nil {
		return nil, fmt.Errorf("listing the cases: %w", err)
	}
	q.damaged.Store(damaged)
	slices.SortFunc(all, func(a, b *docket.Record) int {
		return cmp.Or(b.LastAlert.Compare(a.LastAlert), cmp.Compare(a.Fingerprint, b.Fingerprint))
	})
	return all, nil
}

// Watch sends the records that change. When many changes to one record come faster than they are
// taken, the last one is what counts.
func (q *Queue) Watch(ctx context.Context) (<-chan *docket.Record, error) {
	out := make(chan *docket.Record, 64)
	send := func(v value) {
		r := &docket.Record{Schema: docket.RecordSchema, Fingerprint: v.key, Revision: v.revision}
		if v.data != nil {
			var err error
			if r, err = q.record(v); err != nil {
				r = docket.Damaged(v.key, err)
			}
		}
		select {
		case out <- r:
		case <-ctx.Done():
		case <-q.closing:
		}
	}
	if err := q.records.watch(ctx, send, func() { close(out) }); err != nil {
		return nil, fmt.Errorf("watching the cases: %w", err)
	}
	return out, nil
}

// record decodes what stands under a key.
func (q *Queue) record(v value) (*docket.Record, error) {
	data, err := q.packer.unpack(v.data)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", docket.ErrDamaged, v.key, err)
	}
	return docket.DecodeRecord(v.key, data, v.revision)
}
