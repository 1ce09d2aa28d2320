package server

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestEnvFallsBack(t *testing.T) {
	t.Setenv("SHOP_TEST_VALUE", "")
	if got := Env("SHOP_TEST_VALUE", "fallback"); got != "fallback" {
		t.Errorf("Env = %q, want the fallback", got)
	}
	t.Setenv("SHOP_TEST_VALUE", "set")
	if got := Env("SHOP_TEST_VALUE", "fallback"); got != "set" {
		t.Errorf("Env = %q, want the variable's value", got)
	}
}

func TestInstrumentKeepsTheAnswer(t *testing.T) {
	handler := Instrument("test", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusTeapot)
	}))
	rec := httptest.NewRecorder()
	handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/", nil))
	if rec.Code != http.StatusTeapot {
		t.Errorf("status = %d, want %d", rec.Code, http.StatusTeapot)
	}
}
