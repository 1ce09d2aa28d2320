// Package bank talks to the bank that authorizes card payments.
package bank

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"example.com/shop/internal/httpjson"
)

// ErrUnavailable means that the bank gave no usable answer in any attempt.
var ErrUnavailable = errors.New("bank unavailable")

// firstPause is the pause before the second attempt; it doubles with each further one.
const firstPause = 100 * time.Millisecond

// Authorization asks the bank to hold an amount on a card.
type Authorization struct {
	Reference string `json:"reference"`
	Amount    int64  `json:"amount"` // in the currency's minor unit
	Currency  string `json:"currency"`
	Card      string `json:"card"`
}

// Receipt is the bank's consent.
type Receipt struct {
	Authorization string `json:"authorization"`
}

// Client is a connection to the bank.
type Client struct {
	base     string
	http     *http.Client
	timeout  time.Duration // of one attempt
	attempts int
	tracer   trace.Tracer
}

// New makes a client of the bank at base.
func New(base string, client *http.Client, timeout time.Duration, attempts int) *Client {
	return &Client{
		base:     base,
		http:     client,
		timeout:  timeout,
		attempts: attempts,
		tracer:   otel.Tracer("example.com/shop/payments/bank"),
	}
}

// Authorize asks for the authorization and tries again while the bank sheds load. The
// reference makes repeated attempts one authorization on the bank's side.
func (c *Client) Authorize(ctx context.Context, a Authorization) (Receipt, error) {
	ctx, span := c.tracer.Start(ctx, "bank.Authorize")
	defer span.End()

	var last error
	for attempt := range c.attempts {
		if attempt > 0 {
			if err := pause(ctx, attempt); err != nil {
				last = err
				break
			}
		}
		receipt, err := c.authorizeOnce(ctx, a)
		if err == nil {
			span.SetAttributes(attribute.Int("bank.attempts", attempt+1))
			return receipt, nil
		}
		last = err
		if !retryable(err) {
			break
		}
	}
	span.SetStatus(codes.Error, "not authorized")
	return Receipt{}, fmt.Errorf("%w: %w", ErrUnavailable, last)
}

func (c *Client) authorizeOnce(ctx context.Context, a Authorization) (Receipt, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var receipt Receipt
	err := httpjson.Post(ctx, c.http, c.base+"/authorizations", a, &receipt)
	return receipt, err
}

// pause waits before the given attempt: the pause doubles from attempt to attempt, and
// half of it is random so that callers do not come back all at once.
func pause(ctx context.Context, attempt int) error {
	full := firstPause << (attempt - 1)
	timer := time.NewTimer(full/2 + rand.N(full/2))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// retryable says whether another attempt may end differently: the bank sheds load or did
// not answer in time.
func retryable(err error) bool {
	status := httpjson.Status(err)
	return status == 0 || status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests
}

// Risk asks the bank how likely it is that the card is misused, 0 to 100.
func (c *Client) Risk(ctx context.Context, card string) (int, error) {
	ctx, span := c.tracer.Start(ctx, "bank.Risk")
	defer span.End()
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+"/risk/"+url.PathEscape(card), nil)
	if err != nil {
		return 0, fmt.Errorf("make request: %w", err)
	}
	var answer struct {
		Score int `json:"score"`
	}
	if err := httpjson.Do(c.http, req, &answer); err != nil {
		span.SetStatus(codes.Error, "no risk score")
		return 0, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return answer.Score, nil
}
