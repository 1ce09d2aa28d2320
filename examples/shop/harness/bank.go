package main

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net/http"
	"strings"
	"sync"
	"time"
)

// bank plays the bank outside the shop. How it behaves may be changed at any time.
type bank struct {
	mu    sync.Mutex
	begun time.Time
	mode  bankMode
}

// bankMode is how the bank behaves.
type bankMode struct {
	// Sheds makes the bank refuse everything for moments: in each period it answers 503 for a part
	// of it, between the two bounds.
	Period, ShedMin, ShedMax time.Duration
	// SlowRisk is how long a question about risk takes; a third of them end in 500.
	SlowRisk time.Duration
	// Down closes every connection without an answer.
	Down bool
}

func newBank(mode bankMode) *bank { return &bank{begun: time.Now(), mode: mode} }

func (b *bank) set(mode bankMode) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.mode = mode
}

func (b *bank) current() (bankMode, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.mode, time.Since(b.begun)
}

// sheds says whether the bank refuses everything at this time.
func (m bankMode) sheds(since time.Duration) bool {
	if m.Period <= 0 {
		return false
	}
	cycle := since / m.Period
	length := m.ShedMin + time.Duration(dice(fmt.Sprint("shed", int(cycle)))*float64(m.ShedMax-m.ShedMin))
	return since%m.Period < length
}

// ServeHTTP answers authorizations and questions about risk.
func (b *bank) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	mode, since := b.current()
	switch {
	case mode.Down:
		panic(http.ErrAbortHandler)
	case mode.sheds(since):
		reply(w, http.StatusServiceUnavailable, map[string]string{"code": "busy", "message": "too many requests for the moment"})
	case strings.HasPrefix(r.URL.Path, "/risk/"):
		b.risk(w, r, mode)
	default:
		b.authorize(w, r)
	}
}

func (b *bank) authorize(w http.ResponseWriter, r *http.Request) {
	var a struct {
		Reference string `json:"reference"`
		Amount    int64  `json:"amount"`
		Currency  string `json:"currency"`
		Card      string `json:"card"`
	}
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<16)).Decode(&a); err != nil {
		reply(w, http.StatusBadRequest, map[string]string{"code": "invalid", "message": "not an authorization"})
		return
	}
	wait(r, 15*time.Millisecond+time.Duration(dice(a.Reference)*float64(20*time.Millisecond)))
	switch {
	case strings.HasPrefix(a.Card, "4000-0002"):
		reply(w, http.StatusPaymentRequired, map[string]string{"code": "insufficient_funds", "message": "the card does not cover the amount"})
		return
	case strings.HasPrefix(a.Card, "5100"):
		// The issuer of these cards asks back before it consents.
		wait(r, 100*time.Millisecond+time.Duration(dice(a.Reference)*float64(80*time.Millisecond)))
	}
	reply(w, http.StatusCreated, map[string]string{"authorization": fmt.Sprintf("auth-%08x", hash(a.Card+a.Currency+fmt.Sprint(a.Amount)))})
}

func (b *bank) risk(w http.ResponseWriter, r *http.Request, mode bankMode) {
	wait(r, mode.SlowRisk)
	if mode.SlowRisk > 0 && dice(r.URL.Path+time.Now().String()) < 0.35 {
		reply(w, http.StatusInternalServerError, map[string]string{"code": "overloaded", "message": "no score"})
		return
	}
	reply(w, http.StatusOK, map[string]int{"score": 7})
}

// wait takes time, or less when the caller leaves.
func wait(r *http.Request, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func reply(w http.ResponseWriter, status int, body any) {
	text, err := json.Marshal(body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the caller is gone; nobody is left to tell
}

func hash(s string) uint32 {
	h := fnv.New32a()
	_, _ = h.Write([]byte(s)) // a hash does not fail
	return h.Sum32()
}

// dice is a number in [0,1) that depends on the text alone.
func dice(s string) float64 { return float64(hash(s)%10007) / 10007 }
