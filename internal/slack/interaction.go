package slack

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/slack-go/slack"

	"github.com/remediator/remediator/remedy/docket"
)

const (
	// window is how old a request may be, as Slack recommends.
	window = 5 * time.Minute
	// maxBody is far above what Slack sends for a button or a dialog.
	maxBody = 256 << 10
	// maxSeen bounds the requests remembered within the window.
	maxSeen = 10_000
	// maxReason bounds what a person may write, as on the page.
	maxReason = 2000
	// patience is how long an action may take before the dialog is answered without its outcome; Slack gives
	// up after 3 s.
	patience = 2 * time.Second
	// actionTime bounds an action that goes on after the answer.
	actionTime = 30 * time.Second
	// maxActions bounds the actions under way.
	maxActions = 32

	reasonBlock = "reason"
	callbackID  = "remediator_decide"
)

// Decisions takes the decisions that people make in Slack; it is served at /webhooks/slack.
type Decisions struct {
	chat *Chat
	act  func(context.Context, docket.Action) (string, error)
	get  func(context.Context, string) (*docket.Record, error)

	seen  signatures
	slots chan struct{}
	going sync.WaitGroup
}

// Decisions returns the handler of requests from Slack. get reads a record, act does what was asked.
func (c *Chat) Decisions(get func(ctx context.Context, fingerprint string) (*docket.Record, error), act func(context.Context, docket.Action) (string, error)) *Decisions {
	return &Decisions{chat: c, act: act, get: get, slots: make(chan struct{}, maxActions)}
}

// Wait returns when what was begun for earlier requests has ended.
func (d *Decisions) Wait() { d.going.Wait() }

// ServeHTTP implements http.Handler.
func (d *Decisions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "only POST is taken here", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if err != nil {
		http.Error(w, "the body cannot be read or is too large", http.StatusRequestEntityTooLarge)
		return
	}
	if err := d.verify(r.Header, body); err != nil {
		d.chat.log.WarnContext(r.Context(), "a request to the Slack endpoint was refused", "audit", true, "reason", err)
		http.Error(w, "the request is not signed by Slack, is too old, or came before", http.StatusUnauthorized)
		return
	}
	in, err := parse(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	switch in.Type {
	case slack.InteractionTypeBlockActions:
		d.pressed(in)
		w.WriteHeader(http.StatusOK)
	case slack.InteractionTypeViewSubmission:
		d.submitted(w, in)
	default:
		w.WriteHeader(http.StatusOK) // such as a dialog that was closed
	}
}

// verify checks that Slack signed the body just now, and that this request was not seen before;
// https://docs.slack.dev/authentication/verifying-requests-from-slack. It goes by the chat's clock,
// which the verifier of slack-go does not.
func (d *Decisions) verify(header http.Header, body []byte) error {
	secret := d.chat.settings().SigningSecret
	if secret == "" {
		return errors.New("no signing secret is configured: set slack.signing_secret_file")
	}
	stamp := header.Get("X-Slack-Request-Timestamp")
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return errors.New("no usable timestamp")
	}
	given, err := hex.DecodeString(strings.TrimPrefix(header.Get("X-Slack-Signature"), "v0="))
	if err != nil || len(given) != sha256.Size {
		return errors.New("no usable signature")
	}
	mac := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(mac, "v0:%s:", stamp)
	mac.Write(body)
	sum := mac.Sum(nil)
	if !hmac.Equal(sum, given) {
		return errors.New("wrong signature")
	}
	now := d.chat.now()
	at := time.Unix(seconds, 0)
	if now.Sub(at).Abs() > window {
		return errors.New("the timestamp is more than five minutes off: if it is not a replay, set the clock")
	}
	if !d.seen.first([sha256.Size]byte(sum), at, now) {
		return errors.New("the same request came before")
	}
	return nil
}

// signatures remembers requests for as long as their timestamp would let them in again.
type signatures struct {
	mu sync.Mutex
	at map[[sha256.Size]byte]time.Time
}

func (s *signatures) first(sum [sha256.Size]byte, at, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, again := s.at[sum]; again {
		return false
	}
	if s.at == nil {
		s.at = map[[sha256.Size]byte]time.Time{}
	}
	if len(s.at) >= maxSeen {
		for other, t := range s.at {
			if now.Sub(t) > window {
				delete(s.at, other)
			}
		}
	}
	if len(s.at) >= maxSeen {
		return false // only Slack can fill it; forgetting would let a replay in
	}
	s.at[sum] = at
	return true
}

// parse reads the payload of a form.
func parse(body []byte) (*slack.InteractionCallback, error) {
	form, err := url.ParseQuery(string(body))
	if err != nil || form.Get("payload") == "" {
		return nil, errors.New("the body is not a form with a payload: set this address as the app's interactivity request URL")
	}
	var in slack.InteractionCallback
	if err := json.Unmarshal([]byte(form.Get("payload")), &in); err != nil {
		return nil, errors.New("the payload is not the JSON of an interaction")
	}
	return &in, nil
}

// mayDecide says whether a user may decide. Without a list everybody in the channel may who belongs to the
// workspace: a shared channel has members of other companies.
func mayDecide(s Settings, in *slack.InteractionCallback) bool {
	if in.User.ID == "" {
		return false
	}
	if len(s.Approvers) > 0 {
		return slices.Contains(s.Approvers, in.User.ID)
	}
	return in.Team.ID != "" && in.User.TeamID == in.Team.ID
}

// pressed answers a button: with a dialog that asks for a reason, or with why not. The request itself has to be
// answered at once, so that goes on beside it.
func (d *Decisions) pressed(in *slack.InteractionCallback) {
	for _, a := range in.ActionCallback.BlockActions {
		if a.ActionID != "approve" && a.ActionID != "reject" {
			continue // a link
		}
		var t target
		if json.Unmarshal([]byte(a.Value), &t) != nil || !fingerprint(t.Case) {
			return
		}
		d.begin(func(ctx context.Context) {
			s := d.chat.settings()
			if !mayDecide(s, in) {
				d.tell(ctx, s, in.Channel.ID, in.User.ID, "You are not among those who decide on cases. Ask one of them, or whoever runs the service to add you.")
				return
			}
			if err := d.ask(ctx, s, in, a.ActionID, t); err != nil {
				d.chat.log.WarnContext(ctx, "the dialog for a decision could not be opened", "case", t.Case, "error", err)
				d.tell(ctx, s, in.Channel.ID, in.User.ID, "The dialog could not be opened; decide on the case's page instead.")
			}
		})
		return
	}
}

func fingerprint(s string) bool {
	return s != "" && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == ""
}

// pending is what a dialog is about. Slack returns it as it was sent; people cannot change it.
type pending struct {
	target
	Action  string `json:"a"`
	Channel string `json:"ch"`
}

// ask opens the dialog.
func (d *Decisions) ask(ctx context.Context, s Settings, in *slack.InteractionCallback, action string, t target) error {
	rec, err := d.get(ctx, t.Case)
	if err != nil {
		return err
	}
	if why := moved(rec, t); why != "" {
		d.tell(ctx, s, in.Channel.ID, in.User.ID, why)
		return nil
	}
	verb, effect := "Approve", "The case goes on with what is proposed."
	if action == "reject" {
		verb, effect = "Reject", "Nothing is written, and the answer stays a no."
	}
	data, err := json.Marshal(pending{t, action, in.Channel.ID})
	if err != nil {
		return err
	}
	reason := slack.NewPlainTextInputBlockElement(nil, reasonBlock)
	reason.Multiline, reason.MaxLength = true, maxReason
	input := slack.NewInputBlock(reasonBlock, plainText("Reason", 75), plainText("It is kept with the case.", 150), reason)
	input.Optional = true
	view := slack.ModalViewRequest{
		Type: slack.VTModal, CallbackID: callbackID, PrivateMetadata: string(data),
		Title: plainText(verb+" the case", 24), Submit: plainText(verb, 24), Close: plainText("Back", 24),
		Blocks: slack.Blocks{BlockSet: []slack.Block{
			slack.NewSectionBlock(plainText(titleOf(rec), maxSection), nil, nil),
			slack.NewSectionBlock(plainText(effect, maxSection), nil, nil),
			input,
		}},
	}
	_, err = d.chat.connection(s).OpenViewContext(ctx, in.TriggerID, view)
	return explain(err)
}

// moved says why a decision on what was shown makes no sense any more; "" if it does.
func moved(rec *docket.Record, t target) string {
	switch {
	case !waits(rec):
		return "This case does not wait for a decision any more. Its message shows where it stands."
	case !targetOf(rec).Since.Equal(t.Since):
		return "This case was worked out anew since that message. Look at its page, then decide."
	}
	return ""
}

// submitted does what the dialog asked for.
func (d *Decisions) submitted(w http.ResponseWriter, in *slack.InteractionCallback) {
	var p pending
	if in.View.CallbackID != callbackID || json.Unmarshal([]byte(in.View.PrivateMetadata), &p) != nil || !fingerprint(p.Case) || p.Action != "approve" && p.Action != "reject" {
		http.Error(w, "the dialog is not one of this service", http.StatusBadRequest)
		return
	}
	s := d.chat.settings()
	if !mayDecide(s, in) {
		answer(w, "You are not among those who decide on cases.")
		return
	}
	reason := ""
	if in.View.State != nil {
		reason = strings.TrimSpace(in.View.State.Values[reasonBlock][reasonBlock].Value)
	}
	if len([]rune(reason)) > maxReason {
		answer(w, fmt.Sprintf("The reason is longer than %d characters.", maxReason))
		return
	}
	action := docket.Action{Case: p.Case, Name: p.Action, By: who(in), Via: "slack", Reason: reason}
	type outcome struct {
		said string
		err  error
	}
	done, late := make(chan outcome), make(chan struct{})
	if !d.begin(func(ctx context.Context) {
		said, err := d.decide(ctx, p, action)
		select {
		case done <- outcome{said, err}:
		case <-late:
			d.tell(ctx, s, p.Channel, in.User.ID, sentence(said, err))
		}
	}) {
		answer(w, "Too many decisions are being made at once. Try again in a moment.")
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case o := <-done:
		if o.err != nil {
			answer(w, sentence(o.said, o.err))
			return
		}
		w.WriteHeader(http.StatusOK) // closes the dialog; the message itself shows the rest
	case <-timer.C:
		close(late)
		w.WriteHeader(http.StatusOK)
	}
}

// errMoved carries what to tell the person.
type errMoved struct{ why string }

func (e errMoved) Error() string { return e.why }

// decide hands a decision on if the case still is as it was shown.
func (d *Decisions) decide(ctx context.Context, p pending, a docket.Action) (string, error) {
	rec, err := d.get(ctx, p.Case)
	if err == nil {
		if why := moved(rec, p.target); why != "" {
			err = errMoved{why}
		}
	}
	said := ""
	if err == nil {
		said, err = d.act(ctx, a)
	}
	log := d.chat.log.With("audit", true, "action", a.Name, "case", a.Case, "by", a.By, "via", a.Via)
	if err != nil {
		log.WarnContext(ctx, "an action failed", "error", err)
	} else {
		log.InfoContext(ctx, "action")
	}
	return said, err
}

// sentence tells a person what came of a decision; what an unexpected error says stays in the log.
func sentence(said string, err error) string {
	var m errMoved
	switch {
	case err == nil && said == "":
		return "Done."
	case err == nil:
		return said
	case errors.As(err, &m):
		return m.why
	case errors.Is(err, docket.ErrStage), errors.Is(err, docket.ErrDecided):
		return oneLine(err.Error())
	case errors.Is(err, docket.ErrConflict):
		return "The case changed meanwhile. Look at its message, then decide anew."
	case errors.Is(err, docket.ErrNotFound):
		return "The case is not kept any more."
	}
	return "The decision could not be taken down; the service's log says why. Decide on the case's page."
}

// begin does something beside the request, within bounds.
func (d *Decisions) begin(do func(context.Context)) bool {
	select {
	case d.slots <- struct{}{}:
	default:
		d.chat.log.Warn("too many requests from Slack at once; one was dropped")
		return false
	}
	d.going.Go(func() {
		defer func() { <-d.slots }()
		ctx, cancel := context.WithTimeout(context.Background(), actionTime)
		defer cancel()
		do(ctx)
	})
	return true
}

// tell shows a line to one person only. It goes through the API, never to the response_url of the request.
func (d *Decisions) tell(ctx context.Context, s Settings, channel, user, line string) {
	if channel == "" {
		channel = s.Channel
	}
	err := d.chat.call(ctx, func() error {
		_, err := d.chat.connection(s).PostEphemeralContext(ctx, channel, user, slack.MsgOptionText(escape(clip(oneLine(line), maxSection)), false))
		return err
	})
	if err != nil {
		d.chat.log.WarnContext(ctx, "a person in Slack could not be told what came of a decision", "error", err)
	}
}

// who names a user for the history: a name can be changed, the id cannot.
func who(in *slack.InteractionCallback) string {
	name := oneLine(in.User.Username)
	if name == "" {
		name = oneLine(in.User.Name)
	}
	if name == "" {
		return in.User.ID
	}
	return clip(name, 80) + " (" + in.User.ID + ")"
}

// answer keeps the dialog open with a line beside the reason.
func answer(w http.ResponseWriter, line string) {
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(slack.NewErrorsViewSubmissionResponse(map[string]string{reasonBlock: line}))
}
