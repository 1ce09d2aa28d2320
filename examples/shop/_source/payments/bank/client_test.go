package bank

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"example.com/shop/internal/httpjson"
)

// standIn answers the first calls with the given statuses and every later one with 201.
func standIn(t *testing.T, calls *atomic.Int32, statuses ...int) *Client {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n := int(calls.Add(1))
		if n <= len(statuses) {
			httpjson.Refuse(w, statuses[n-1], "refused", "the stand-in says no")
			return
		}
		httpjson.Write(w, http.StatusCreated, Receipt{Authorization: "auth-1"})
	}))
	t.Cleanup(srv.Close)
	return New(srv.URL, srv.Client(), time.Second, 4)
}

func TestAuthorize(t *testing.T) {
	for name, c := range map[string]struct {
		statuses []int
		calls    int32
		ok       bool
	}{
		"first attempt":     {nil, 1, true},
		"sheds load once":   {[]int{503}, 2, true},
		"asked to slow":     {[]int{429, 503}, 3, true},
		"sheds all along":   {[]int{503, 503, 503, 503}, 4, false},
		"a broken request":  {[]int{400}, 1, false},
		"a bank's own bug":  {[]int{500}, 1, false},
		"sheds, then a bug": {[]int{503, 500}, 2, false},
	} {
		t.Run(name, func(t *testing.T) {
			var calls atomic.Int32
			receipt, err := standIn(t, &calls, c.statuses...).Authorize(context.Background(), Authorization{Reference: "o-1", Amount: 100, Currency: "EUR", Card: "4000-0001"})
			if calls.Load() != c.calls {
				t.Errorf("%d calls, want %d", calls.Load(), c.calls)
			}
			if c.ok && (err != nil || receipt.Authorization != "auth-1") {
				t.Errorf("Authorize = %+v, %v", receipt, err)
			}
			if !c.ok && !errors.Is(err, ErrUnavailable) {
				t.Errorf("error = %v, want ErrUnavailable", err)
			}
		})
	}
}

func TestAuthorizeStopsWithItsCaller(t *testing.T) {
	var calls atomic.Int32
	client := standIn(t, &calls, 503, 503, 503, 503)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := client.Authorize(ctx, Authorization{}); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v, want the caller's cancellation", err)
	}
}

func TestRisk(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/risk/4000-0001" {
			httpjson.Refuse(w, http.StatusNotFound, "unknown_card", r.URL.Path)
			return
		}
		httpjson.Write(w, http.StatusOK, map[string]int{"score": 7})
	}))
	defer srv.Close()
	client := New(srv.URL, srv.Client(), time.Second, 1)
	if score, err := client.Risk(context.Background(), "4000-0001"); score != 7 || err != nil {
		t.Errorf("Risk = %d, %v", score, err)
	}
	if _, err := client.Risk(context.Background(), "none"); !errors.Is(err, ErrUnavailable) {
		t.Errorf("error = %v, want ErrUnavailable", err)
	}
}
