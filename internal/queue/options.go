package queue

import (
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"
)

// Options say where the state is kept and how tasks are handed out. Either DataDir or URL is set.
type Options struct {
	// DataDir is where the embedded server keeps its files; one process at a time may open it.
	DataDir string
	// MaxStore bounds the embedded server's files in bytes; 0 leaves it to the disk's size.
	MaxStore int64

	// URL names an existing cluster: "nats://host:4222,nats://other:4222", "tls://..." for TLS.
	URL             string
	CredentialsFile string // as `nsc` or `nats auth` make it
	CAFile          string // of a private certificate authority
	CertFile        string // of a client certificate, with KeyFile
	KeyFile         string
	// Replicas of streams and buckets; 0 means 3 in a cluster and 1 on a single server.
	Replicas int

	// Prefix begins the names of all streams and buckets; "" means "remediator".
	Prefix string

	// TelemetryAge and TelemetryBytes bound the log of telemetry; the oldest goes first. An embedded
	// server gives it half of its storage at most.
	TelemetryAge   time.Duration // 0 means 2 hours
	TelemetryBytes int64         // 0 means 1 GiB

	// Attempts is how often a task may fail before it becomes a dead letter; 0 means 8.
	Attempts int
	// Deaths is how many processes may die over a task, beyond its attempts; 0 means 50.
	Deaths int
	// AckWait is how long after its process died a task waits for another; it is renewed three
	// times in that time while a handler runs. 0 means 15 seconds.
	AckWait time.Duration
	// RetryFirst is the delay after the first failure; it doubles up to RetryMost. 0 means 2 seconds
	// and 5 minutes.
	RetryFirst, RetryMost time.Duration
	// Grace is how long running handlers may go on after Consume's context ended, before theirs
	// ends too. 0 means 20 seconds.
	Grace time.Duration
	// Known is how long the ID of a task is remembered; 0 means an hour.
	Known time.Duration

	// syncEvery is how often the embedded server returns the space of what was deleted to the disk.
	syncEvery time.Duration

	Log *slog.Logger     // nil means slog.Default
	Now func() time.Time // stamps dead letters; nil means time.Now
}

// prefixForm keeps names legal for streams, buckets and subjects alike.
var prefixForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)

// complete checks the options and fills in what was left out.
func (o Options) complete() (Options, error) {
	switch {
	case o.DataDir == "" && o.URL == "":
		return o, errors.New("nowhere to keep the state: give --data-dir, or --nats-url for an existing cluster")
	case o.DataDir != "" && o.URL != "":
		return o, errors.New("--data-dir and --nats-url exclude each other: the state is kept either here or in the cluster")
	case o.DataDir != "" && o.Replicas > 1:
		return o, fmt.Errorf("an embedded server keeps 1 copy, not %d: leave replicas out, or use --nats-url", o.Replicas)
	case o.Replicas < 0 || o.Replicas > 5:
		return o, fmt.Errorf("%d replicas: give 1, 3 or 5", o.Replicas)
	case (o.CertFile == "") != (o.KeyFile == ""):
		return o, errors.New("a client certificate needs both its file and its key's")
	}
	if o.Prefix == "" {
		o.Prefix = "remediator"
	}
	if !prefixForm.MatchString(o.Prefix) {
		return o, fmt.Errorf("prefix %q: use up to 32 letters, digits, - and _", o.Prefix)
	}
	for _, d := range []struct {
		value *time.Duration
		usual time.Duration
	}{
		{&o.TelemetryAge, 2 * time.Hour}, {&o.AckWait, 15 * time.Second}, {&o.RetryFirst, 2 * time.Second},
		{&o.RetryMost, 5 * time.Minute}, {&o.Grace, 20 * time.Second}, {&o.Known, time.Hour},
		{&o.syncEvery, time.Minute},
	} {
		if *d.value < 0 {
			return o, fmt.Errorf("%s is no duration to wait", *d.value)
		}
		if *d.value == 0 {
			*d.value = d.usual
		}
	}
	o.RetryMost = max(o.RetryMost, o.RetryFirst)
	if o.TelemetryBytes <= 0 {
		o.TelemetryBytes = 1 << 30
	}
	if o.Attempts <= 0 {
		o.Attempts = 8
	}
	if o.Deaths <= 0 {
		o.Deaths = 50
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}
