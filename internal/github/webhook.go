package github

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"regexp"
	"strings"

	"github.com/remediator/remediator/remedy/docket"
)

// maxDelivery is the size at which GitHub stops delivering.
const maxDelivery = 25 << 20

var deliveryID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Receive takes an event over. It returns nil when the event is stored durably, under its delivery's id,
// so that a redelivery is recognised; GitHub is answered only then.
type Receive func(ctx context.Context, e docket.ForgeEvent) error

// Webhook serves GitHub's deliveries. secret returns the webhook's secret as it is now. Events that nobody
// waits for are answered and dropped. Target says which branch of a repository proposals go to; it
// may be nil, and an empty answer means the default branch.
func (c *Client) Webhook(secret func() []byte, receive Receive, target func(repo string) string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			w.Header().Set("Allow", http.MethodPost)
			http.Error(w, "deliveries come by POST", http.StatusMethodNotAllowed)
			return
		}
		payload, status, err := readDelivery(w, r, secret())
		if err != nil {
			c.options.Log.Warn("a delivery was refused", "status", status, "because", err.Error())
			http.Error(w, err.Error(), status)
			return
		}
		kind, id := r.Header.Get("X-GitHub-Event"), r.Header.Get("X-GitHub-Delivery")
		if !deliveryID.MatchString(id) {
			http.Error(w, "the delivery has no usable id", http.StatusBadRequest)
			return
		}
		switch kind {
		case "ping":
			answer(w, http.StatusOK, "pong")
			return
		case "installation", "installation_repositories", "repository":
			c.Forget()
			answer(w, http.StatusAccepted, "noted")
			return
		}
		var p payloadFields
		if err := json.Unmarshal(payload, &p); err != nil {
			http.Error(w, "the delivery is not the JSON that GitHub sends", http.StatusBadRequest)
			return
		}
		event, ok := c.event(kind, p, target)
		if !ok {
			answer(w, http.StatusAccepted, "nothing to do")
			return
		}
		event.Delivery, event.At = id, c.options.Now().UTC()
		if err := receive(r.Context(), event); err != nil {
			c.options.Log.Error("a delivery could not be stored", "delivery", id, "event", kind, "error", err)
			http.Error(w, "could not be stored; deliver it again", http.StatusServiceUnavailable)
			return
		}
		answer(w, http.StatusAccepted, "stored")
	})
}

func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n")
}

// readDelivery reads a bounded body and checks its signature, which must be HMAC-SHA-256: the SHA-1 header that
// GitHub still sends beside it counts for nothing.
func readDelivery(w http.ResponseWriter, r *http.Request, secret []byte) (payload []byte, status int, err error) {
	if len(secret) == 0 {
		return nil, http.StatusServiceUnavailable, errors.New("no webhook secret is configured; set github.webhook_secret_file")
	}
	sent, ok := strings.CutPrefix(r.Header.Get("X-Hub-Signature-256"), "sha256=")
	mac, decodes := hex.DecodeString(sent)
	if !ok || decodes != nil || len(mac) != sha256.Size {
		return nil, http.StatusUnauthorized, errors.New("the signature is missing; set the webhook's secret at GitHub")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDelivery))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, http.StatusRequestEntityTooLarge, errors.New("the delivery is too large")
	case err != nil:
		return nil, http.StatusBadRequest, errors.New("the delivery broke off")
	}
	h := hmac.New(sha256.New, secret)
	h.Write(body)
	if !hmac.Equal(h.Sum(nil), mac) {
		return nil, http.StatusUnauthorized, errors.New("the signature does not fit; compare the webhook's secret on both sides")
	}
	switch kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); kind {
	case "application/json":
		return body, 0, nil
	case "application/x-www-form-urlencoded":
		form, err := url.ParseQuery(string(body))
		if err != nil || form.Get("payload") == "" {
			return nil, http.StatusBadRequest, errors.New("the form holds no payload")
		}
		return []byte(form.Get("payload")), 0, nil
	}
	return nil, http.StatusUnsupportedMediaType, errors.New("set the webhook's content type to application/json")
}
