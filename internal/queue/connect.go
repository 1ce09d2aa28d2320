package queue

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// The oldest server that can do what is asked of it: scheduled messages came with 2.12.
const (
	oldestMajor = 2
	oldestMinor = 12
)

// connect reaches the embedded server within the process, or the cluster. The connection is
// restored forever after it is lost; only the first time it has to be there at once.
func connect(ctx context.Context, opts Options, inside *embedded) (*nats.Conn, error) {
	log := opts.Log
	settings := []nats.Option{
		nats.Name("remediator"),
		nats.MaxReconnects(-1),
		nats.ReconnectWait(250 * time.Millisecond),
		nats.ReconnectJitter(100*time.Millisecond, 500*time.Millisecond),
		// What cannot be sent now is sent again by its caller, who still knows whether it is wanted.
		nats.ReconnectBufSize(-1),
		nats.PingInterval(10 * time.Second),
		nats.MaxPingsOutstanding(2),
		nats.DisconnectErrHandler(func(c *nats.Conn, err error) {
			if !c.IsClosed() {
				log.Warn("lost the connection to NATS; trying again until it is back", "error", err)
			}
		}),
		nats.ReconnectHandler(func(c *nats.Conn) { log.Info("connected to NATS again", "server", c.ConnectedServerName()) }),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { log.Warn("NATS reports", "error", err) }),
	}
	where := nats.DefaultURL
	if inside != nil {
		settings = append(settings, nats.InProcessServer(inside))
	} else {
		where = opts.URL
		settings = append(settings, nats.Timeout(timeLeft(ctx, 5*time.Second)))
		for _, file := range []string{opts.CredentialsFile, opts.CAFile, opts.CertFile, opts.KeyFile} {
			if file == "" {
				continue
			}
			if _, err := os.Stat(file); err != nil {
				return nil, fmt.Errorf("connecting to NATS: %w", err)
			}
		}
		if opts.CredentialsFile != "" {
			settings = append(settings, nats.UserCredentials(opts.CredentialsFile))
		}
		if opts.CAFile != "" {
			settings = append(settings, nats.RootCAs(opts.CAFile))
		}
		if opts.CertFile != "" {
			settings = append(settings, nats.ClientCert(opts.CertFile, opts.KeyFile))
		}
	}
	conn, err := nats.Connect(where, settings...)
	if err != nil {
		return nil, fmt.Errorf("NATS at %s: %w; %s", withoutSecrets(where), err, advice(err))
	}
	if err := checkVersion(conn.ConnectedServerVersion()); err != nil {
		conn.Close()
		return nil, fmt.Errorf("NATS at %s: %w", withoutSecrets(where), err)
	}
	return conn, nil
}

func advice(err error) string {
	switch {
	case errors.Is(err, nats.ErrAuthorization), errors.Is(err, nats.ErrAuthExpired), errors.Is(err, nats.ErrAuthRevoked):
		return "check --nats-credentials"
	case strings.Contains(err.Error(), "x509") || strings.Contains(err.Error(), "tls"):
		return "check the certificates, and that the address begins with tls://"
	default:
		return "check the address and that a server listens there"
	}
}

// withoutSecrets takes user names and passwords out of a list of addresses.
func withoutSecrets(list string) string {
	var out []string
	for one := range strings.SplitSeq(list, ",") {
		one = strings.TrimSpace(one)
		u, err := url.Parse(one)
		if err != nil || u.Host == "" {
			// Not to be taken apart; whatever stands before an @ may be a password.
			one = one[strings.LastIndex(one, "@")+1:]
		} else {
			u.User, u.RawQuery = nil, ""
			one = u.String()
		}
		out = append(out, one)
	}
	return strings.Join(out, ",")
}

func checkVersion(version string) error {
	major, rest, _ := strings.Cut(strings.TrimPrefix(version, "v"), ".")
	minor, _, _ := strings.Cut(rest, ".")
	a, errA := strconv.Atoi(major)
	b, errB := strconv.Atoi(minor)
	if errA != nil || errB != nil {
		return fmt.Errorf("server version %q is not understood; nats-server %d.%d or later is needed", version, oldestMajor, oldestMinor)
	}
	if a < oldestMajor || a == oldestMajor && b < oldestMinor {
		return fmt.Errorf("server version %s is too old: upgrade nats-server to %d.%d or later, or leave --nats-url out to embed one", version, oldestMajor, oldestMinor)
	}
	return nil
}

// timeLeft is the time until the context's deadline, and at most usual.
func timeLeft(ctx context.Context, usual time.Duration) time.Duration {
	if deadline, ok := ctx.Deadline(); ok {
		return max(min(time.Until(deadline), usual), time.Millisecond)
	}
	return usual
}
