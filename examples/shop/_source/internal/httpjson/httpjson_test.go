package httpjson

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

type greeting struct {
	Name string `json:"name"`
}

func TestReadRefusesUnknownFields(t *testing.T) {
	for name, body := range map[string]string{
		"unknown field": `{"nmae":"a"}`,
		"not JSON":      `name=a`,
		"empty":         ``,
	} {
		r := httptest.NewRequest(http.MethodPost, "/", strings.NewReader(body))
		var g greeting
		if err := Read(httptest.NewRecorder(), r, &g); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestPostTellsFaultsApart(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var g greeting
		if err := Read(w, r, &g); err != nil {
			Refuse(w, http.StatusBadRequest, "invalid", err.Error())
			return
		}
		if g.Name == "broken" {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		Write(w, http.StatusOK, g)
	}))
	defer srv.Close()

	var got greeting
	if err := Post(context.Background(), srv.Client(), srv.URL, greeting{Name: "ann"}, &got); err != nil || got.Name != "ann" {
		t.Errorf("Post = %+v, %v", got, err)
	}
	err := Post(context.Background(), srv.Client(), srv.URL, map[string]int{"x": 1}, &got)
	if Status(err) != http.StatusBadRequest || !strings.Contains(err.Error(), "invalid") {
		t.Errorf("refusal = %v, want 400 with its code", err)
	}
	err = Post(context.Background(), srv.Client(), srv.URL, greeting{Name: "broken"}, &got)
	if Status(err) != http.StatusBadGateway || !strings.Contains(err.Error(), "unknown") {
		t.Errorf("answer without a fault = %v", err)
	}
	srv.Close()
	if err := Post(context.Background(), srv.Client(), srv.URL, greeting{}, &got); err == nil || Status(err) != 0 {
		t.Errorf("no answer = %v, want an error without a status", err)
	}
}
