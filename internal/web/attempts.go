package web

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// How many wrong tokens one address may show at once, and how soon it may show another. A person who
// mistypes does not get there; guessing a token of any length does not get anywhere.
const (
	wrongTokens = 20
	wrongEvery  = 6 * time.Second
	// maxAddresses bounds the memory that strangers can take.
	maxAddresses = 4096
)

// attempts counts wrong tokens by address.
type attempts struct {
	mu   sync.Mutex
	byIP map[string]*rate.Limiter
}

// charge notes a wrong token and returns how long the address has to wait, 0 if it need not.
func (a *attempts) charge(ip string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	l := a.limiter(ip, now)
	if l.AllowN(now, 1) {
		return 0
	}
	return wait(l, now)
}

// blocked returns how long the address has to wait before another attempt is looked at.
func (a *attempts) blocked(ip string, now time.Time) time.Duration {
	a.mu.Lock()
	defer a.mu.Unlock()
	if l := a.byIP[ip]; l != nil && l.TokensAt(now) < 1 {
		return wait(l, now)
	}
	return 0
}

func wait(l *rate.Limiter, now time.Time) time.Duration {
	missing := 1 - l.TokensAt(now)
	return max(time.Second, time.Duration(missing*float64(wrongEvery)))
}

func (a *attempts) limiter(ip string, now time.Time) *rate.Limiter {
	if l := a.byIP[ip]; l != nil {
		return l
	}
	if a.byIP == nil {
		a.byIP = map[string]*rate.Limiter{}
	}
	if len(a.byIP) >= maxAddresses {
		for other, l := range a.byIP {
			if l.TokensAt(now) >= wrongTokens {
				delete(a.byIP, other)
			}
		}
	}
	if len(a.byIP) >= maxAddresses {
		clear(a.byIP) // an attacker with that many addresses has no need of their count
	}
	l := rate.NewLimiter(rate.Every(wrongEvery), wrongTokens)
	a.byIP[ip] = l
	return l
}
