package githubtest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Delivery is one webhook as sent, or as it would have been.
type Delivery struct {
	ID            int64
	GUID          string // X-GitHub-Delivery: a redelivery has the same
	Event, Action string
	Repository    int64
	Installation  int64
	Redelivery    bool
	At            time.Time
	Code          int // what the receiver answered; 0 while under way, 502 when there was no answer
	Took          time.Duration
	Payload       []byte
	answer        []byte
}

type hooks struct {
	url, secret string
	next        int64
	all         []*Delivery
	queue       []*Delivery
	busy        bool
	wake        chan struct{}
	idle        *sync.Cond
	lose        func(Delivery) bool
	twice       func(Delivery) bool
	cancel      context.CancelFunc
	done        chan struct{}
}

// SetWebhook changes where events go; "" stops sending and keeps the events as failed deliveries.
func (s *Server) SetWebhook(url, secret string) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	s.hook.url, s.hook.secret = url, secret
}

// Lose makes deliveries that match get lost: they are recorded as failed and never sent. nil ends it.
func (s *Server) Lose(which func(Delivery) bool) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	s.hook.lose = which
}

// Duplicate sends deliveries that match twice, with one delivery id. nil ends it.
func (s *Server) Duplicate(which func(Delivery) bool) {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	s.hook.twice = which
}

// Deliveries are all deliveries so far, oldest first.
func (s *Server) Deliveries() []Delivery {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	var all []Delivery
	for _, d := range s.hook.all {
		all = append(all, *d)
	}
	return all
}

// Redeliver sends a delivery again as its button on GitHub's page does.
func (s *Server) Redeliver(id int64) bool {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	return s.redeliver(id)
}

func (s *Server) redeliver(id int64) bool {
	for _, d := range s.hook.all {
		if d.ID == id {
			again := *d
			again.Redelivery, again.Code, again.answer = true, 0, nil
			s.enqueue(&again)
			return true
		}
	}
	return false
}

// Drain waits until every delivery so far was sent or lost.
func (s *Server) Drain(ctx context.Context) error {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		s.hookMu.Lock()
		defer s.hookMu.Unlock()
		s.hook.idle.Broadcast()
	})
	defer stop()
	go func() {
		defer close(done)
		s.hookMu.Lock()
		defer s.hookMu.Unlock()
		for (s.hook.busy || len(s.hook.queue) > 0) && ctx.Err() == nil {
			s.hook.idle.Wait()
		}
	}()
	<-done
	return ctx.Err()
}

func (s *Server) startDeliveries() {
	ctx, cancel := context.WithCancel(context.Background())
	s.hook = hooks{
		url: s.opt.WebhookURL, secret: s.opt.WebhookSecret, next: 5000, wake: make(chan struct{}, 1), cancel: cancel, done: make(chan struct{}),
		idle: sync.NewCond(&s.hookMu),
	}
	go func() {
		defer close(s.hook.done)
		for {
			d := s.dequeue()
			if d == nil {
				select {
				case <-s.hook.wake:
					continue
				case <-ctx.Done():
					return
				}
			}
			s.deliver(ctx, d)
		}
	}()
}

func (s *Server) stopDeliveries() {
	s.hook.cancel()
	<-s.hook.done
}

func (s *Server) dequeue() *Delivery {
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	s.hook.busy = len(s.hook.queue) > 0
	if !s.hook.busy {
		s.hook.idle.Broadcast()
		return nil
	}
	d := s.hook.queue[0]
	s.hook.queue = s.hook.queue[1:]
	return d
}

// enqueue gives a delivery its number and lets it go; the caller holds hookMu.
func (s *Server) enqueue(d *Delivery) {
	s.hook.next++
	d.ID, d.At = s.hook.next, s.opt.Now().UTC()
	s.hook.all = append(s.hook.all, d)
	s.hook.queue = append(s.hook.queue, d)
	select {
	case s.hook.wake <- struct{}{}:
	default:
	}
}

// emit records an event of a repository and sends it. The payload is GitHub's example with the state laid over it.
func (r *Repository) emit(event, action string, payload object, by *account) {
	s := r.s
	i := r.installed()
	if i == nil {
		return
	}
	full := s.examples.find(event, action)
	payload["repository"] = r.json()
	payload["sender"] = s.accountJSON(by)
	payload["installation"] = object{"id": i.id, "node_id": nodeID("MDIz", i.id)}
	if r.owner.kind == "Organization" {
		payload["organization"] = object{
			"login": r.owner.login, "id": r.owner.id, "node_id": nodeID("O", r.owner.id), "url": s.api + "/orgs/" + r.owner.login,
			"repos_url": s.api + "/orgs/" + r.owner.login + "/repos", "events_url": s.api + "/orgs/" + r.owner.login + "/events",
			"hooks_url": s.api + "/orgs/" + r.owner.login + "/hooks", "issues_url": s.api + "/orgs/" + r.owner.login + "/issues",
			"members_url": s.api + "/orgs/" + r.owner.login + "/members{/member}", "public_members_url": s.api + "/orgs/" + r.owner.login + "/public_members{/member}",
			"avatar_url": s.base + "/avatars/" + fmt.Sprint(r.owner.id), "description": "",
		}
	} else {
		delete(full, "organization")
	}
	data, err := json.Marshal(overlay(full, payload))
	if err != nil {
		s.opt.Report("webhook %s: %v", event, err)
		return
	}
	if s.describe != nil {
		if err := s.describe.Webhook(event, action, data); err != nil {
			s.opt.Report("a webhook of the stand-in does not fit GitHub's description: %s %s: %v", event, action, err)
		}
	}
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	d := &Delivery{GUID: guid(), Event: event, Action: action, Repository: r.id, Installation: i.id, Payload: data}
	s.enqueue(d)
	if s.hook.twice != nil && s.hook.twice(*d) {
		again := *d
		s.enqueue(&again)
	}
}

func guid() string {
	h := random(16)
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// emitPush tells of a moved branch or tag.
func (r *Repository) emitPush(name, before, after string, by *account) {
	const zero = "0000000000000000000000000000000000000000"
	commits := []any{}
	var head any
	if after != "" {
		args := []string{"rev-list", "--reverse", "--max-count=20", after}
		if before != "" {
			args = append(args, "^"+before)
		} else if base := r.defaultBranch(); "refs/heads/"+base != name {
			args = append(args, "--not", "refs/heads/"+base)
		}
		for _, c := range r.commitList(args...) {
			sha := c.(object)["sha"].(string)
			one := r.simpleCommit(sha)
			one["distinct"], one["url"] = true, r.html()+"/commit/"+sha
			one["added"], one["removed"], one["modified"] = r.touched(sha)
			commits = append(commits, one)
		}
		if len(commits) > 0 {
			head = commits[len(commits)-1]
		} else if r.git.kind(after) == "commit" {
			one := r.simpleCommit(after)
			one["distinct"], one["url"] = true, r.html()+"/commit/"+after
			one["added"], one["removed"], one["modified"] = r.touched(after)
			head = one
		}
	}
	o := object{
		"ref": name, "before": before, "after": after, "base_ref": nil, "created": before == "", "deleted": after == "",
		"forced": before != "" && after != "" && !r.git.ancestor(before, after), "commits": commits, "head_commit": head,
		"compare": r.html() + "/compare/" + before + "..." + after, "pusher": object{"name": "nobody", "email": "nobody@users.noreply.github.com"},
	}
	if before == "" {
		o["before"] = zero
	}
	if after == "" {
		o["after"] = zero
	}
	if by != nil {
		o["pusher"] = object{"name": by.login, "email": (&actor{account: by}).email()}
	}
	r.emit("push", "", o, by)
}

func (r *Repository) touched(sha string) (added, removed, modified []any) {
	added, removed, modified = []any{}, []any{}, []any{}
	one, err := r.git.commit(sha)
	if err != nil {
		return
	}
	base := emptyTree
	if len(one.parents) > 0 {
		base = one.parents[0]
	}
	files, _, _ := r.changed(base, sha)
	for _, f := range files {
		o := f.(object)
		switch o["status"] {
		case "added":
			added = append(added, o["filename"])
		case "removed":
			removed = append(removed, o["filename"])
		default:
			modified = append(modified, o["filename"])
		}
	}
	return
}

// deliver sends one delivery and records the answer.
func (s *Server) deliver(ctx context.Context, d *Delivery) {
	s.hookMu.Lock()
	url, secret, lose := s.hook.url, s.hook.secret, s.hook.lose
	copied := *d
	s.hookMu.Unlock()
	code, body := http.StatusBadGateway, []byte(nil)
	began := time.Now()
	if url != "" && (lose == nil || !lose(copied)) {
		code, body = s.post(ctx, url, secret, &copied)
	}
	s.hookMu.Lock()
	defer s.hookMu.Unlock()
	d.Code, d.answer, d.Took = code, body, time.Since(began)
}

func (s *Server) post(ctx context.Context, url, secret string, d *Delivery) (int, []byte) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // GitHub's own limit
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(d.Payload))
	if err != nil {
		return http.StatusBadGateway, nil
	}
	for name, value := range s.hookHeaders(d, secret) {
		req.Header.Set(name, value)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return http.StatusBadGateway, nil
	}
	defer resp.Body.Close()
	body, _ := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	return resp.StatusCode, body
}

func (s *Server) hookHeaders(d *Delivery, secret string) map[string]string {
	h := map[string]string{
		"Accept": "*/*", "Content-Type": "application/json", "User-Agent": "GitHub-Hookshot/0000000", "X-GitHub-Delivery": d.GUID,
		"X-GitHub-Event": d.Event, "X-GitHub-Hook-ID": strconv.FormatInt(s.app.id, 10),
		"X-GitHub-Hook-Installation-Target-ID": strconv.FormatInt(s.app.id, 10), "X-GitHub-Hook-Installation-Target-Type": "integration",
	}
	if s.opt.Enterprise {
		h["X-GitHub-Enterprise-Host"] = s.base
	}
	if secret != "" {
		old, sum := hmac.New(sha1.New, []byte(secret)), hmac.New(sha256.New, []byte(secret))
		old.Write(d.Payload)
		sum.Write(d.Payload)
		h["X-Hub-Signature"] = "sha1=" + hex.EncodeToString(old.Sum(nil))
		h["X-Hub-Signature-256"] = "sha256=" + hex.EncodeToString(sum.Sum(nil))
	}
	return h
}

func hookRoutes() []route {
	return []route{
		{"GET", "/app/hook/deliveries", "app", listDeliveries},
		{"GET", "/app/hook/deliveries/{delivery_id}", "app", getDelivery},
		{"POST", "/app/hook/deliveries/{delivery_id}/attempts", "app", attemptDelivery},
		{"GET", "/app/hook/config", "app", hookConfig},
	}
}

func hookConfig(c *call) answer {
	c.s.hookMu.Lock()
	defer c.s.hookMu.Unlock()
	o := object{"content_type": "json", "insecure_ssl": "0", "secret": "********"}
	if c.s.hook.url != "" {
		o["url"] = c.s.hook.url
	}
	return ok(o)
}

func (d *Delivery) json() object {
	status := "OK"
	if d.Code < 200 || d.Code > 299 {
		status = fmt.Sprintf("Invalid HTTP Response: %d", d.Code)
	}
	return object{
		"id": d.ID, "guid": d.GUID, "delivered_at": stamp(d.At), "redelivery": d.Redelivery, "duration": d.Took.Seconds(), "status": status,
		"status_code": d.Code, "event": d.Event, "action": nullable(d.Action), "installation_id": d.Installation, "repository_id": d.Repository,
		"throttled_at": nil,
	}
}

// listDeliveries pages by cursor, newest first, as GitHub does for deliveries alone.
func listDeliveries(c *call) answer {
	c.s.hookMu.Lock()
	defer c.s.hookMu.Unlock()
	per := min(max(c.number("per_page", 30), 1), 100)
	cursor, err := strconv.ParseInt(c.query("cursor"), 10, 64)
	if err != nil {
		cursor = 1 << 62
	}
	list := []any{}
	a := answer{status: http.StatusOK}
	for _, d := range slices.Backward(c.s.hook.all) {
		if d.ID > cursor || d.Code == 0 {
			continue
		}
		if c.query("status") == "failure" && d.Code < 400 || c.query("status") == "success" && d.Code >= 400 {
			continue
		}
		if len(list) == per {
			a.header = http.Header{"Link": {fmt.Sprintf("<%s/app/hook/deliveries?per_page=%d&cursor=%d>; rel=\"next\"", c.s.api, per, d.ID)}}
			break
		}
		list = append(list, d.json())
	}
	a.body = list
	return a
}

func getDelivery(c *call) answer {
	c.s.hookMu.Lock()
	defer c.s.hookMu.Unlock()
	for _, d := range c.s.hook.all {
		if d.ID != c.argID("delivery_id") {
			continue
		}
		o := d.json()
		headers := object{}
		for k, v := range c.s.hookHeaders(d, c.s.hook.secret) {
			headers[k] = v
		}
		var payload object
		if err := json.Unmarshal(d.Payload, &payload); err != nil {
			return notFound()
		}
		o["url"] = c.s.hook.url
		o["request"] = object{"headers": headers, "payload": payload}
		o["response"] = object{"headers": object{}, "payload": string(d.answer)}
		return ok(o)
	}
	return notFound()
}

func attemptDelivery(c *call) answer {
	c.s.hookMu.Lock()
	defer c.s.hookMu.Unlock()
	if !c.s.redeliver(c.argID("delivery_id")) {
		return notFound()
	}
	return answer{status: http.StatusAccepted, body: object{}}
}
