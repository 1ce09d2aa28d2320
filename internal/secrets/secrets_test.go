package secrets

import (
	"slices"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	f := &Finder{}
	if err := f.Check(); err != nil {
		t.Fatal(err)
	}
	// Put together here, so that no scanner takes this file for a leak.
	token := "ghp_" + "x7Kq2mV9bT4nR8wL1cZ6yJ3hF5dS0pGaQeUi"
	if got := f.Find("refused: token " + token + " is expired"); !slices.Contains(got, token) {
		t.Errorf("Find = %q, want the token in it", got)
	}
	if got := f.Find("charge of order 42 failed after 3 attempts: bank answered 503"); len(got) != 0 {
		t.Errorf("Find took %q for secrets", got)
	}
	if got := f.Find(""); len(got) != 0 {
		t.Errorf("Find(\"\") = %q", got)
	}
}

func TestFindIsSafeForConcurrentUse(t *testing.T) {
	f := &Finder{}
	done := make(chan int, 8)
	for range cap(done) {
		go func() { done <- len(f.Find(strings.Repeat("nothing to see ", 100))) }()
	}
	for range cap(done) {
		if n := <-done; n != 0 {
			t.Errorf("found %d secrets in harmless text", n)
		}
	}
}

func TestDigestNamesTheRules(t *testing.T) {
	if d := (&Finder{}).Digest(); !strings.HasPrefix(d, "gitleaks:") || len(d) != len("gitleaks:")+64 {
		t.Errorf("Digest = %q", d)
	}
}
