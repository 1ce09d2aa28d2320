package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestStandsInUntilItIsStopped(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	read, write := io.Pipe()
	ended := make(chan error, 1)
	var problems bytes.Buffer
	go func() {
		err := run(ctx, []string{"--repo", "acme/shop=" + t.TempDir(), "--writer", "alice", "--dir", t.TempDir()}, write, &problems)
		ended <- err
		write.CloseWithError(io.EOF)
	}()
	said := map[string]string{}
	buffer := make([]byte, 4096)
	text := ""
	for !strings.Contains(text, "READY\n") {
		n, err := read.Read(buffer)
		if err != nil {
			t.Fatalf("it ended with %v after %q and %q", <-ended, text, problems.String())
		}
		text += string(buffer[:n])
	}
	for l := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(l), "=")
		said[name] = value
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, said["API_URL"]+"repos/acme/shop", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+said["GITHUB_TOKEN"])
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("GET acme/shop: %s", resp.Status)
	}
	if said["TOKEN_ALICE"] == "" || said["APP_KEY_FILE"] == "" {
		t.Errorf("said only %v", said)
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestNeedsARepository(t *testing.T) {
	if err := run(t.Context(), nil, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "--repo owner/name=PATH") {
		t.Errorf("got %v", err)
	}
}
