package otlp

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/remediator/remediator/telemetry"
)

// writers is how many batches of one signal are on their way to the log at a time: while one waits for the log,
// the other is compressed.
const writers = 2

// batchSpan bounds the times of the pieces that share a payload, so that a straggler from long ago does not make
// a payload belong to every window since.
const batchSpan = uint64(5 * time.Minute)

// batcher writes the pieces of one signal to the log. Pieces that come while a write is under way wait
// and go together in the next one (group commit), so that a flood of small requests costs few writes and a
// lonely request waits for nobody.
type batcher struct {
	signal  telemetry.Signal
	log     Log
	pack    *packer
	watch   Watcher
	logger  *slog.Logger
	timeout time.Duration

	mu      sync.Mutex
	waiting []*write
	busy    int // writers under way
	failing bool
	idle    *sync.Cond
}

// write is a piece on its way.
type write struct {
	piece
	done chan<- error
}

func newBatcher(signal telemetry.Signal, log Log, pack *packer, o *Options) *batcher {
	b := &batcher{signal: signal, log: log, pack: pack, watch: o.Watch, logger: o.Log, timeout: o.AppendTimeout}
	b.idle = sync.NewCond(&b.mu)
	return b
}

// add stores pieces and returns when all of them stand in the log, or the first of them could not be
// written. When ctx ends it returns earlier; the pieces are written all the same.
func (b *batcher) add(ctx context.Context, ps []piece) error {
	done := make(chan error, len(ps))
	b.mu.Lock()
	for _, p := range ps {
		b.waiting = append(b.waiting, &write{p, done})
	}
	for i := 0; i < len(ps) && b.busy < writers; i++ {
		b.busy++
		go b.run()
	}
	b.mu.Unlock()
	var first error
	for range ps {
		select {
		case err := <-done:
			if first == nil {
				first = err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return first
}

// run writes batches until nothing waits.
func (b *batcher) run() {
	for {
		b.mu.Lock()
		batch := b.take()
		if len(batch) == 0 {
			b.busy--
			b.idle.Broadcast()
			b.mu.Unlock()
			return
		}
		b.mu.Unlock()
		err := b.write(batch)
		for _, w := range batch {
			w.done <- err
		}
	}
}

// take removes the next pieces that fit into one payload.
func (b *batcher) take() []*write {
	size, n := 0, 0
	var from, to uint64
	for _, w := range b.waiting {
		f, t := w.from, w.to
		if n > 0 {
			f, t = min(f, from), max(t, to)
			if size+len(w.raw) > pieceSize || t-f > batchSpan {
				break
			}
		}
		from, to = f, t
		size += len(w.raw)
		n++
	}
	batch := b.waiting[:n:n]
	b.waiting = b.waiting[n:]
	return batch
}

func (b *batcher) write(batch []*write) error {
	raw, from, to := batch[0].raw, batch[0].from, batch[0].to
	if len(batch) > 1 {
		size := 0
		for _, w := range batch {
			size += len(w.raw)
			from, to = min(from, w.from), max(to, w.to)
		}
		raw = make([]byte, 0, size)
		for _, w := range batch {
			raw = append(raw, w.raw...)
		}
	}
	payload := b.pack.pack(raw)
	ctx, cancel := context.WithTimeout(context.Background(), b.timeout)
	defer cancel()
	err := b.log.Append(ctx, string(b.signal), moment(from), moment(to), payload)
	b.report(err)
	if err == nil {
		b.watch.Stored(string(b.signal), len(payload))
	}
	return err
}

// report logs when writing begins to fail and when it works again, not every failure of a flood.
func (b *batcher) report(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case err != nil && !b.failing:
		b.logger.Error("telemetry cannot be stored; its senders are asked to come again", "signal", b.signal, "error", err)
	case err == nil && b.failing:
		b.logger.Info("telemetry is stored again", "signal", b.signal)
	}
	b.failing = err != nil
}

// drain waits until nothing is on its way.
func (b *batcher) drain() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for b.busy > 0 {
		b.idle.Wait()
	}
}
