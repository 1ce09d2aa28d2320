package queue

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/remediator/remediator/remedy/docket"
)

// longestError keeps what a handler says within what a page can show.
const longestError = 4 << 10

// letter is a stored dead letter: what is shown of it, and the task as it was stored.
type letter struct {
	docket.DeadLetter
	Task []byte `json:"task"`
}

// giveUp makes a dead letter of a task. Its ID comes from the delivery, so that doing it again
// after a crash in between makes no second one.
func (q *Queue) giveUp(ctx context.Context, kind docket.TaskKind, m jetstream.Msg, meta *jetstream.MsgMetadata, t docket.Task, why error) {
	text := strings.ToValidUTF8(why.Error(), "\uFFFD")
	if len(text) > longestError {
		text = strings.ToValidUTF8(text[:longestError], "") + "..."
	}
	l := letter{
		DeadLetter: docket.DeadLetter{
			ID:   string(kind) + "-" + strconv.FormatUint(meta.Sequence.Stream, 10) + "-" + strconv.FormatInt(meta.Timestamp.UnixMilli(), 36),
			Kind: kind, Case: t.Case, At: q.opts.Now(), Error: text, Tries: int(meta.NumDelivered),
		},
		Task: m.Data(),
	}
	log := q.opts.Log.With("kind", string(kind), "case", t.Case, "letter", l.ID)
	data, err := json.Marshal(l)
	if err == nil {
		data, err = q.packer.pack(data)
	}
	if err == nil {
		// Bounded, so that the task is not kept from others by what nobody renews.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), q.opts.AckWait/2)
		defer cancel()
		_, err = q.letters.set(ctx, l.ID, data, 0)
		if errors.Is(err, docket.ErrConflict) {
			err = nil
		}
	}
	if err == nil {
		err = q.acknowledge(ctx, m)
	}
	if err != nil {
		log.Error("a task cannot be given up and comes again", "error", err)
		if err := m.NakWithDelay(q.opts.RetryMost); err != nil {
			log.Debug("the task is free when its time is over", "error", err)
		}
		return
	}
	log.Error("gave a task up", "tries", l.Tries, "error", text)
}

// DeadLetters lists the tasks that were given up, oldest first.
func (q *Queue) DeadLetters(ctx context.Context) ([]docket.DeadLetter, error) {
	var all []docket.DeadLetter
	err := q.letters.list(ctx, false, func(v value) {
		l, err := q.letter(v)
		if err != nil {
			// Still shown, so that somebody buries it.
			l.DeadLetter = docket.DeadLetter{ID: v.key, Error: "the letter cannot be read: " + err.Error()}
		}
		all = append(all, l.DeadLetter)
	})
	if err != nil {
		return nil, fmt.Errorf("listing the dead letters: %w", err)
	}
	slices.SortFunc(all, func(a, b docket.DeadLetter) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.ID, b.ID)) })
	return all, nil
}

// Revive puts a dead letter back to work with all its attempts, and is harmless to repeat.
func (q *Queue) Revive(ctx context.Context, id string) error {
	v, err := q.letters.get(ctx, id)
	if err != nil {
		return fmt.Errorf("reviving %s: %w", id, err)
	}
	if v.data == nil {
		return fmt.Errorf("dead letter %s: %w", id, docket.ErrNotFound)
	}
	l, err := q.letter(v)
	if err != nil {
		return fmt.Errorf("dead letter %s cannot be read: %w; bury it", id, err)
	}
	s, ok := q.tasks[l.Kind]
	if !ok {
		return fmt.Errorf("dead letter %s is of kind %q, which there is not; bury it", id, l.Kind)
	}
	m := nats.NewMsg(s.now)
	m.Data = l.Task
	// Not under the task's own ID, which may still be known.
	m.Header.Set(jetstream.MsgIDHeader, "revived-"+id+"-"+strconv.FormatUint(v.revision, 10))
	if _, err := q.publish(ctx, m); err != nil {
		return fmt.Errorf("reviving %s: %w", id, err)
	}
	if err := q.letters.remove(ctx, id); err != nil && !errors.Is(err, docket.ErrNotFound) {
		return fmt.Errorf("reviving %s: it is at work, but still listed: %w", id, err)
	}
	return nil
}

// Bury forgets a dead letter.
func (q *Queue) Bury(ctx context.Context, id string) error {
	if err := q.letters.remove(ctx, id); err != nil {
		return fmt.Errorf("burying dead letter %s: %w", id, err)
	}
	return nil
}

func (q *Queue) letter(v value) (letter, error) {
	var l letter
	data, err := q.packer.unpack(v.data)
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err == nil && l.ID != v.key {
		err = errors.New("it is another letter")
	}
	return l, err
}
