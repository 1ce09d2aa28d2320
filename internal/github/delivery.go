package github

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	gh "github.com/google/go-github/v66/github"
)

const (
	// keptDeliveries is how long GitHub keeps deliveries and can repeat them.
	keptDeliveries = 72 * time.Hour
	// maxRedelivered bounds what one reconciliation asks for, and maxTries how often one event is asked
	// for: what failed that often fails for another reason than that nobody listened.
	maxRedelivered = 200
	maxTries       = 5
)

// ErrNoDeliveries means that missed webhooks cannot be found again, since deliveries are the App's.
var ErrNoDeliveries = errors.New("github: missed webhooks are found again for an App only, not with a token")

// Reconcile asks GitHub to deliver again what it could not deliver since a point in time, oldest first, and
// returns how many deliveries that were. Every event is asked for once by this client. They arrive as
// webhooks under their old delivery ids. With a token it returns [ErrNoDeliveries].
func (c *Client) Reconcile(ctx context.Context, since time.Time) (int, error) {
	if c.app == nil {
		return 0, ErrNoDeliveries
	}
	if oldest := c.options.Now().Add(-keptDeliveries); since.Before(oldest) {
		since = oldest
	}
	var missed []missedDelivery
	err := c.settle(ctx, func(ctx context.Context) (err error) {
		missed, err = c.missed(ctx, since)
		return err
	})
	if err != nil {
		return 0, err
	}
	asked := 0
	for _, m := range missed {
		if asked == maxRedelivered {
			c.options.Log.Warn("more deliveries were missed than are asked for at a time", "missed", len(missed), "asked", asked)
			break
		}
		c.mu.Lock()
		known := c.redelivered[m.guid]
		c.redelivered[m.guid] = true
		c.mu.Unlock()
		if known {
			continue
		}
		// A lost answer leaves open whether it is delivered again; asking twice does no harm, since events are
		// recognised by their id.
		err := c.settle(ctx, func(ctx context.Context) error {
			_, _, err := c.app.Apps.RedeliverHookDelivery(ctx, m.id)
			var accepted *gh.AcceptedError
			if errors.As(err, &accepted) || statusOf(err) == http.StatusNotFound {
				return nil
			}
			return explain(err, fmt.Sprintf("asking for delivery %d again", m.id), "")
		})
		if err != nil {
			c.mu.Lock()
			delete(c.redelivered, m.guid)
			c.mu.Unlock()
			return asked, err
		}
		asked++
	}
	return asked, nil
}

type missedDelivery struct {
	id    int64 // of the newest attempt
	guid  string
	at    time.Time
	tries int
	fine  bool
}

// missed lists events of which no attempt arrived.
func (c *Client) missed(ctx context.Context, since time.Time) ([]missedDelivery, error) {
	events := map[string]*missedDelivery{}
	options := &gh.ListCursorOptions{PerPage: 100}
	for range maxPages {
		list, res, err := c.app.Apps.ListHookDeliveries(ctx, options)
		if err != nil {
			return nil, explain(err, "listing the App's deliveries", "")
		}
		past := false
		for _, d := range list {
			if d.GetDeliveredAt().Before(since) {
				past = true
				continue
			}
			m := events[d.GetGUID()]
			if m == nil {
				m = &missedDelivery{guid: d.GetGUID(), at: d.GetDeliveredAt().Time}
				events[d.GetGUID()] = m
			}
			m.tries++
			m.id = max(m.id, d.GetID())
			if d.GetDeliveredAt().Before(m.at) {
				m.at = d.GetDeliveredAt().Time
			}
			m.fine = m.fine || d.GetStatusCode() >= 200 && d.GetStatusCode() < 300
		}
		if past || res.Cursor == "" || len(list) == 0 {
			break
		}
		options.Cursor = res.Cursor
	}
	var missed []missedDelivery
	for _, m := range events {
		if !m.fine && m.tries < maxTries && deliveryID.MatchString(m.guid) {
			missed = append(missed, *m)
		}
	}
	slices.SortFunc(missed, func(a, b missedDelivery) int { return a.at.Compare(b.at) })
	return missed, nil
}
