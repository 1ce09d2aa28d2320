// Package httpjson reads and writes the JSON bodies of the shop's HTTP interfaces.
package httpjson

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// maxBody bounds what is read of any body, in bytes.
const maxBody = 1 << 20

// Fault is the body of every answer that is not a success.
type Fault struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// StatusError is an answer of another service that is not a success.
type StatusError struct {
	Status int
	Fault  Fault
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("status %d (%s)", e.Status, e.Fault.Code)
}

// Read decodes the request's body into v and refuses fields that v does not know.
func Read(w http.ResponseWriter, r *http.Request, v any) error {
	dec := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody))
	dec.DisallowUnknownFields()
	if err := dec.Decode(v); err != nil {
		return fmt.Errorf("body is not what was expected: %w", err)
	}
	return nil
}

// Write answers with v as JSON.
func Write(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "encode answer", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client is gone; nobody is left to tell
}

// Refuse answers with a fault.
func Refuse(w http.ResponseWriter, status int, code, message string) {
	Write(w, status, Fault{Code: code, Message: message})
}

// Post sends in as JSON and decodes a success into out. An answer that is not a success
// is a *StatusError.
func Post(ctx context.Context, client *http.Client, url string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("encode request: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make request: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	return Do(client, req, out)
}

// Do sends a request and decodes a success into out.
func Do(client *http.Client, req *http.Request, out any) error {
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read answer: %w", err)
	}
	if resp.StatusCode/100 != 2 {
		failed := &StatusError{Status: resp.StatusCode}
		if json.Unmarshal(body, &failed.Fault) != nil || failed.Fault.Code == "" {
			failed.Fault = Fault{Code: "unknown", Message: http.StatusText(resp.StatusCode)}
		}
		return failed
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("decode answer: %w", err)
	}
	return nil
}

// Status is the HTTP status another service answered with, or 0 if err is not an answer.
func Status(err error) int {
	var failed *StatusError
	if errors.As(err, &failed) {
		return failed.Status
	}
	return 0
}
