package slack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/remediator/remediator/remedy/docket"
)

// Settings are what may change while the service runs.
type Settings struct {
	Token         string // of the bot, xoxb-...
	SigningSecret string
	Channel       string // id, or name with "#"
	Approvers     []string
}

// Options are what a Chat needs.
type Options struct {
	// URL is the API's; "" means Slack's own.
	URL string
	// Settings returns those that hold now; it is called for every message and request.
	Settings func() Settings
	// Pages is how people reach the service, without a slash at its end; "" leaves links to it out.
	Pages string
	// Client sends requests; nil means one that waits 10 s for an answer.
	Client *http.Client
	Now    func() time.Time
	// Wait returns after the duration, or earlier with the context's error.
	Wait func(context.Context, time.Duration) error
	Log  *slog.Logger
}

// Chat is a channel in Slack; it implements docket.Notifier.
type Chat struct {
	api      string
	settings func() Settings
	pages    string
	client   *http.Client
	now      func() time.Time
	wait     func(context.Context, time.Duration) error
	log      *slog.Logger

	mu    sync.Mutex
	until time.Time // Slack asked to send nothing before
}

var _ docket.Notifier = (*Chat)(nil)

// New prepares a chat; nothing is sent yet.
func New(o Options) (*Chat, error) {
	if o.Settings == nil || o.Now == nil || o.Wait == nil || o.Log == nil {
		return nil, errors.New("slack: settings, clock, wait and log are all needed")
	}
	api := o.URL
	if api == "" {
		api = slack.APIURL
	}
	u, err := url.Parse(api)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return nil, fmt.Errorf("slack: url %q is not an http or https URL: leave it out for Slack's own", o.URL)
	}
	client := &http.Client{Timeout: 10 * time.Second}
	if o.Client != nil {
		copied := *o.Client
		client = &copied
	}
	client.Transport = bounded{client.Transport}
	// A redirect would carry the token to wherever it points.
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Chat{
		api: strings.TrimSuffix(api, "/") + "/", settings: o.Settings, pages: strings.TrimSuffix(o.Pages, "/"),
		client: client, now: o.Now, wait: o.Wait, log: o.Log,
	}, nil
}

// bounded keeps an answer from filling the memory.
type bounded struct{ next http.RoundTripper }

const maxAnswer = 1 << 20

func (b bounded) RoundTrip(r *http.Request) (*http.Response, error) {
	next := b.next
	if next == nil {
		next = http.DefaultTransport
	}
	resp, err := next.RoundTrip(r)
	if err == nil {
		resp.Body = struct {
			io.Reader
			io.Closer
		}{io.LimitReader(resp.Body, maxAnswer), resp.Body}
	}
	return resp, err
}

func (c *Chat) connection(s Settings) *slack.Client {
	return slack.New(s.Token, slack.OptionAPIURL(c.api), slack.OptionHTTPClient(c.client))
}

const (
	// attempts is how often a call is made that Slack answers with "later".
	attempts = 3
	// longestWait is as long as a case's worker is kept; the next change of the case tries again anyway.
	longestWait = 30 * time.Second
)

// call makes one call, not before Slack will have it, and again when it asks for patience.
func (c *Chat) call(ctx context.Context, do func() error) error {
	for try := 1; ; try++ {
		c.mu.Lock()
		pause := c.until.Sub(c.now())
		c.mu.Unlock()
		if pause > longestWait {
			return fmt.Errorf("slack asks to wait for %s: nothing was sent", pause.Round(time.Second))
		}
		if pause > 0 {
			if err := c.wait(ctx, pause); err != nil {
				return err
			}
		}
		err := do()
		var limited *slack.RateLimitedError
		if !errors.As(err, &limited) {
			return explain(err)
		}
		c.mu.Lock()
		c.until = c.now().Add(max(limited.RetryAfter, time.Second))
		c.mu.Unlock()
		if try == attempts {
			return fmt.Errorf("slack asked for patience %d times: %w", attempts, err)
		}
	}
}

// explain adds the next step to Slack's own names of errors.
func explain(err error) error {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return err
	}
	next := ""
	switch answer.Err {
	case "not_in_channel", "channel_not_found":
		next = "invite the app to the channel, or mend slack.channel"
	case "invalid_auth", "not_authed", "account_inactive", "token_revoked", "token_expired":
		next = "put a valid bot token into the file that slack.token_file names"
	case "missing_scope":
		next = "give the app the scopes chat:write and, for a public channel it is not in, chat:write.public"
	case "is_archived":
		next = "choose another slack.channel"
	default:
		return err
	}
	return fmt.Errorf("%w: %s", err, next)
}

// Notify sends the message of a record, or brings the one at ref up to date. A case about which there
// is nothing to say yet gets no message; its ref stays empty.
func (c *Chat) Notify(ctx context.Context, r *docket.Record, ref string) (string, error) {
	s := c.settings()
	if s.Token == "" || s.Channel == "" || ref == "" && !worthAMessage(r) {
		return ref, nil
	}
	text, blocks := c.message(r)
	options := []slack.MsgOption{slack.MsgOptionText(text, false), slack.MsgOptionBlocks(blocks...), slack.MsgOptionDisableLinkUnfurl(), slack.MsgOptionDisableMediaUnfurl()}
	api := c.connection(s)
	if channel, ts, ok := splitRef(ref); ok {
		err := c.call(ctx, func() error {
			_, _, _, err := api.UpdateMessageContext(ctx, channel, ts, options...)
			return err
		})
		if err == nil || !gone(err) {
			return ref, wrap("updating the message", err)
		}
		c.log.InfoContext(ctx, "the message of a case is gone; sending another", "case", r.Fingerprint, "ref", ref)
	}
	newRef := ref
	err := c.call(ctx, func() error {
		channel, ts, err := api.PostMessageContext(ctx, s.Channel, options...)
		if err == nil {
			newRef = channel + ":" + ts
		}
		return err
	})
	return newRef, wrap("sending a message", err)
}

func wrap(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("slack: %s: %w", doing, err)
}

// gone says whether a message can never be updated again.
func gone(err error) bool {
	var answer slack.SlackErrorResponse
	if !errors.As(err, &answer) {
		return false
	}
	switch answer.Err {
	case "message_not_found", "cant_update_message", "edit_window_closed", "channel_not_found":
		return true
	}
	return false
}

func splitRef(ref string) (channel, ts string, ok bool) {
	channel, ts, ok = strings.Cut(ref, ":")
	return channel, ts, ok && channel != "" && ts != ""
}
