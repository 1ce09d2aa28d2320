package queue

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
)

const (
	// maxPayload lets an OTLP export of the usual 4 MiB limit through in one message.
	maxPayload = 8 << 20
	// startTimeout covers the recovery of a large store after a crash.
	startTimeout = time.Minute
	// leastDisk is what an empty store needs to be of any use.
	leastDisk = 16 << 20
	// brokenDisk is so little that a failed write needs no other explanation.
	brokenDisk = 1 << 20
	// spare is the share of the free disk that the server leaves alone when nobody set a limit.
	spare = 4
)

// embedded is a server inside this process.
type embedded struct {
	*server.Server
	dir    string
	limit  int64 // of all files together, in bytes
	unlock func()
}

// startEmbedded locks the directory and starts a server in it that listens on no port.
func startEmbedded(opts Options) (_ *embedded, err error) {
	dir, err := filepath.Abs(opts.DataDir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("the data directory cannot be made: %w; choose another with --data-dir", err)
	}
	unlock, err := lock(filepath.Join(dir, "lock"))
	if errors.Is(err, errLocked) {
		return nil, fmt.Errorf("another process works in %s: stop it, choose another --data-dir, or let both share a cluster with --nats-url", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("the data directory %s cannot be written: %w; choose another with --data-dir", dir, err)
	}
	e := &embedded{dir: dir, unlock: unlock}
	defer func() {
		if err != nil {
			e.stop()
		}
	}()
	used, err := diskUsed(dir)
	if err != nil {
		return nil, err
	}
	free, err := diskFree(dir)
	if err != nil {
		return nil, err
	}
	if free < leastDisk {
		return nil, fmt.Errorf("%d MiB are free on the disk of %s, at least %d are needed: make room, or choose another with --data-dir", free>>20, dir, leastDisk>>20)
	}
	limit := opts.MaxStore
	if limit <= 0 {
		limit = used + free/spare*(spare-1)
	}
	e.limit = limit
	lines := &serverLog{log: opts.Log}
	e.Server, err = server.NewServer(&server.Options{
		ServerName:             opts.Prefix,
		DontListen:             true,
		NoSigs:                 true,
		NoLog:                  true,
		MaxPayload:             maxPayload,
		MaxPending:             8 * maxPayload,
		JetStream:              true,
		StoreDir:               dir,
		JetStreamMaxStore:      limit,
		JetStreamMaxMemory:     64 << 20, // nothing of ours is kept in memory only
		SyncAlways:             true,
		SyncInterval:           opts.syncEvery,
		DisableJetStreamBanner: true,
	})
	if err != nil {
		return nil, fmt.Errorf("the embedded server refuses its settings: %w", err)
	}
	e.SetLoggerV2(lines, false, false, false)
	e.Start()
	if !e.ReadyForConnections(startTimeout) || !e.JetStreamEnabled() {
		return nil, fmt.Errorf("the embedded server does not start in %s: %s", dir, lines.last())
	}
	return e, nil
}

// broken says why nothing can be written, as far as one can tell from outside: the server itself
// does not answer then.
func (e *embedded) broken() error {
	if !e.JetStreamEnabled() {
		return fmt.Errorf("the embedded server gave up writing to %s: is the disk full or broken? make room and start again", e.dir)
	}
	if free, err := diskFree(e.dir); err == nil && free < brokenDisk {
		return fmt.Errorf("the disk of %s is full: make room and start again", e.dir)
	}
	return nil
}

func (e *embedded) stop() {
	if e.Server != nil {
		e.Shutdown()
		e.WaitForShutdown()
	}
	if e.unlock != nil {
		e.unlock()
	}
}

// diskUsed is how much the files below dir take.
func diskUsed(dir string) (used int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // the server removes files while we look
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if info, err := d.Info(); err == nil {
			used += info.Size()
		}
		return nil
	})
	return used, err
}

// serverLog passes the server's lines on to slog and remembers the last complaint, which is the
// only place where the server says why it does not start.
type serverLog struct {
	log *slog.Logger

	mu        sync.Mutex
	complaint string
}

func (l *serverLog) write(level slog.Level, format string, args []any) {
	text := strings.TrimSpace(fmt.Sprintf(format, args...))
	if level >= slog.LevelWarn {
		l.mu.Lock()
		l.complaint = text
		l.mu.Unlock()
	}
	l.log.Log(context.Background(), level, text, "from", "nats-server")
}

func (l *serverLog) last() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.complaint == "" {
		return "it gives no reason; look at the log"
	}
	return l.complaint
}

// Noticef is at debug level: the server's notices are about its own affairs.
func (l *serverLog) Noticef(format string, v ...any) { l.write(slog.LevelDebug, format, v) }
func (l *serverLog) Warnf(format string, v ...any)   { l.write(slog.LevelWarn, format, v) }
func (l *serverLog) Errorf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l *serverLog) Fatalf(format string, v ...any)  { l.write(slog.LevelError, format, v) }
func (l *serverLog) Debugf(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
func (l *serverLog) Tracef(format string, v ...any)  { l.write(slog.LevelDebug, format, v) }
