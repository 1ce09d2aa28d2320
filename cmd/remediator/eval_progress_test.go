package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestLongMeasurementsSayHowFarTheyAre(t *testing.T) {
	var out bytes.Buffer
	at := time.Unix(1_700_000_000, 0)
	m := newMeasuring(&out, func() time.Time { return at })
	m.tell("ablation", 0, 100)
	for i := range 4 {
		at = at.Add(6 * time.Second)
		m.tell("ablation", 10*(i+1), 100)
	}
	at = at.Add(30 * time.Second)
	m.tell("sensitivity", 0, 7)
	want := "ablation: 20 of 100, about 48s left\nablation: 40 of 100, about 36s left\nsensitivity: 0 of 7\n"
	if out.String() != want {
		t.Errorf("said\n%swant\n%s", out.String(), want)
	}
}

func TestAMeasurementThatIsStoppedLeavesThePagesOfTheLastOne(t *testing.T) {
	pages := t.TempDir()
	last := filepath.Join(pages, "README.md")
	if err := os.WriteFile(last, []byte("measured before"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop()
	var out, errs bytes.Buffer
	code := execute(ctx, []string{"eval", "--simulate", "2", "--pages", pages}, stdio{strings.NewReader(""), &out, &errs})
	if code != exitFailure || !strings.Contains(errs.String(), "stopped") {
		t.Errorf("exit code %d: %s", code, errs.String())
	}
	files, err := os.ReadDir(pages)
	if err != nil || len(files) != 1 {
		t.Errorf("%v, %v", files, err)
	}
	if text, err := os.ReadFile(last); err != nil || string(text) != "measured before" {
		t.Errorf("%q, %v", text, err)
	}
}
