package queue

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nuid"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	chunkSize = 256 << 10
	// orphanAge is how old pieces of no file have to be before they are taken for the remains of a
	// process that died while writing, and not for a file that is being written.
	orphanAge = time.Hour
)

var errDamagedEntry = errors.New("its entry is damaged; delete the file")

// Files are kept in the layout of NATS ADR-20, so that `nats object` reads them. They are written
// here and not by the client's own type, because that one sends the entry of a file along with its
// pieces without waiting for them, and gives readers five seconds. Here the entry goes last, when
// every piece is known to be stored: a file is there whole or not at all.

func filesConfig(prefix string) jetstream.StreamConfig {
	bucket := prefix + "-files"
	return jetstream.StreamConfig{
		Name:        "OBJ_" + bucket,
		Description: "files of cases: alerts, evidence, reports",
		Subjects:    []string{"$O." + bucket + ".C.>", "$O." + bucket + ".M.>"},
		Discard:     jetstream.DiscardNew,
		AllowRollup: true,
	}
}

func (q *Queue) piecesOf(nuid string) string { return "$O." + q.opts.Prefix + "-files.C." + nuid }
func (q *Queue) entryOf(name string) string {
	return "$O." + q.opts.Prefix + "-files.M." + base64.URLEncoding.EncodeToString([]byte(name))
}

// PutBlob stores a file. Readers see the old one until the new one is complete.
func (q *Queue) PutBlob(ctx context.Context, name string, r io.Reader) error {
	if name == "" || len(name) > 1024 {
		return fmt.Errorf("storing a file: its name has %d bytes; use 1 to 1024", len(name))
	}
	old, err := q.entry(ctx, name)
	if err != nil && !errors.Is(err, docket.ErrNotFound) && !errors.Is(err, errDamagedEntry) {
		return fmt.Errorf("storing %s: %w", name, err)
	}
	info := jetstream.ObjectInfo{
		ObjectMeta: jetstream.ObjectMeta{Name: name, Opts: &jetstream.ObjectMetaOptions{ChunkSize: chunkSize}},
		Bucket:     q.opts.Prefix + "-files",
		NUID:       nuid.Next(),
	}
	if err := q.writePieces(ctx, &info, r); err != nil {
		// The caller's context may be what ended it.
		q.purge(context.WithoutCancel(ctx), q.piecesOf(info.NUID))
		return fmt.Errorf("storing %s: %w", name, err)
	}
	data, err := json.Marshal(info)
	if err != nil {
		return err
	}
	m := nats.NewMsg(q.entryOf(name))
	m.Data = data
	m.Header.Set(jetstream.MsgRollup, jetstream.MsgRollupSubject)
	if _, err := q.publish(ctx, m); err != nil {
		return fmt.Errorf("storing %s: %w", name, err) // the entry may be there, so the pieces stay
	}
	if old != nil {
		q.purge(ctx, q.piecesOf(old.NUID))
	}
	return nil
}

func (q *Queue) writePieces(ctx context.Context, info *jetstream.ObjectInfo, r io.Reader) error {
	size := chunkSize
	if most := int(q.conn.MaxPayload()) - 1024; size > most { // headers count too
		size = most
	}
	sum := sha256.New()
	for piece := make([]byte, size); ; {
		n, err := io.ReadFull(r, piece)
		if n > 0 {
			m := nats.NewMsg(q.piecesOf(info.NUID))
			m.Data = piece[:n]
			if _, err := q.publish(ctx, m); err != nil {
				return err
			}
			sum.Write(piece[:n])
			info.Chunks++
			info.Size += uint64(n)
		}
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			info.Digest = jetstream.GetObjectDigestValue(sum)
			return nil
		case err != nil:
			return err
		}
	}
}

// Blob opens a file. What is read is checked against the digest; the last Read says if it differs.
func (q *Queue) Blob(ctx context.Context, name string) (io.ReadCloser, error) {
	info, err := q.entry(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("file %s: %w", name, err)
	}
	return &reader{q: q, ctx: ctx, info: info, sum: sha256.New(), next: 1}, nil
}

// DeleteBlob removes a file and frees its space.
func (q *Queue) DeleteBlob(ctx context.Context, name string) error {
	info, err := q.entry(ctx, name)
	damaged := errors.Is(err, errDamagedEntry)
	if err == nil || damaged {
		err = q.purge(ctx, q.entryOf(name))
	}
	if err == nil && !damaged {
		err = q.purge(ctx, q.piecesOf(info.NUID))
	}
	if err != nil {
		return fmt.Errorf("deleting %s: %w", name, err)
	}
	return nil
}

// BlobNames lists the files whose names begin with prefix, in order.
func (q *Queue) BlobNames(ctx context.Context, prefix string) ([]string, error) {
	entries, err := q.fileSubjects(ctx, "M")
	if err != nil {
		return nil, fmt.Errorf("listing files: %w", err)
	}
	var names []string
	for _, e := range entries {
		name, err := base64.URLEncoding.DecodeString(e)
		if err != nil {
			q.opts.Log.Warn("left out a file that is not ours", "entry", e)
			continue
		}
		if strings.HasPrefix(string(name), prefix) {
			names = append(names, string(name))
		}
	}
	slices.Sort(names)
	return names, nil
}

// fileSubjects lists the last tokens of the subjects of entries ("M") or pieces ("C").
func (q *Queue) fileSubjects(ctx context.Context, part string) ([]string, error) {
	start := "$O." + q.opts.Prefix + "-files." + part + "."
	info, err := again(ctx, q, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		return q.files.Info(ctx, jetstream.WithSubjectFilter(start+">"))
	})
	if err != nil {
		return nil, err
	}
	var out []string
	for s := range info.State.Subjects {
		out = append(out, strings.TrimPrefix(s, start))
	}
	return out, nil
}

// entry reads what is known of a file.
func (q *Queue) entry(ctx context.Context, name string) (*jetstream.ObjectInfo, error) {
	m, err := again(ctx, q, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return q.files.GetLastMsgForSubject(ctx, q.entryOf(name))
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return nil, docket.ErrNotFound
	}
	if err != nil {
		return nil, err
	}
	var info jetstream.ObjectInfo
	if err := json.Unmarshal(m.Data, &info); err != nil || info.NUID == "" || strings.ContainsAny(info.NUID, ".*> \t\r\n") {
		return nil, errDamagedEntry
	}
	if info.Deleted {
		return nil, docket.ErrNotFound
	}
	return &info, nil
}

func (q *Queue) purge(ctx context.Context, subject string) error {
	_, err := again(ctx, q, func(ctx context.Context) (struct{}, error) {
		return struct{}{}, q.files.Purge(ctx, jetstream.WithPurgeSubject(subject))
	})
	return err
}

// reader reads a file piece by piece.
type reader struct {
	q    *Queue
	ctx  context.Context
	info *jetstream.ObjectInfo
	sum  hash.Hash
	next uint64 // sequence to look from
	read uint64
	left []byte
	err  error
}

func (r *reader) Read(p []byte) (int, error) {
	for len(r.left) == 0 {
		if r.err == nil {
			r.err = r.fetch()
		}
		if r.err != nil {
			return 0, r.err
		}
	}
	n := copy(p, r.left)
	r.left = r.left[n:]
	return n, nil
}

// fetch gets the next piece, or io.EOF behind the last one.
func (r *reader) fetch() error {
	if r.read == r.info.Size {
		want, err := jetstream.DecodeObjectDigest(r.info.Digest)
		if err != nil || !bytes.Equal(want, r.sum.Sum(nil)) {
			return fmt.Errorf("file %s is damaged: its digest differs", r.info.Name)
		}
		return io.EOF
	}
	m, err := again(r.ctx, r.q, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
		return r.q.files.GetMsg(ctx, r.next, jetstream.WithGetMsgSubject(r.q.piecesOf(r.info.NUID)))
	})
	if errors.Is(err, jetstream.ErrMsgNotFound) {
		return fmt.Errorf("file %s was replaced or deleted while it was read; read it again", r.info.Name)
	}
	if err != nil {
		return fmt.Errorf("reading %s: %w", r.info.Name, err)
	}
	r.next = m.Sequence + 1
	r.read += uint64(len(m.Data))
	r.sum.Write(m.Data)
	if r.read > r.info.Size {
		return fmt.Errorf("file %s is damaged: it has more than its %d bytes", r.info.Name, r.info.Size)
	}
	r.left = m.Data
	return nil
}

func (r *reader) Close() error {
	r.left, r.err = nil, io.ErrClosedPipe
	return nil
}

// compact removes pieces that belong to no file: what a process left that died while it wrote.
func (q *Queue) compact(ctx context.Context, now time.Time) error {
	pieces, err := q.fileSubjects(ctx, "C")
	if err != nil || len(pieces) == 0 {
		return err
	}
	names, err := q.BlobNames(ctx, "")
	if err != nil {
		return err
	}
	owned := map[string]bool{}
	for _, name := range names {
		info, err := q.entry(ctx, name)
		if errors.Is(err, docket.ErrNotFound) || errors.Is(err, errDamagedEntry) {
			continue
		}
		if err != nil {
			return fmt.Errorf("file %s: %w", name, err)
		}
		owned[info.NUID] = true
	}
	for _, p := range pieces {
		if owned[p] {
			continue
		}
		last, err := again(ctx, q, func(ctx context.Context) (*jetstream.RawStreamMsg, error) {
			return q.files.GetLastMsgForSubject(ctx, q.piecesOf(p))
		})
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			continue
		}
		if err != nil {
			return err
		}
		if now.Sub(last.Time) > orphanAge {
			if err := q.purge(ctx, q.piecesOf(p)); err != nil {
				return err
			}
		}
	}
	return nil
}
