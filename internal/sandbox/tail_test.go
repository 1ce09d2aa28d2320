package sandbox

import (
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestTailKeepsTheEnd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 50).Draw(t, "size")
		writes := rapid.SliceOf(rapid.StringMatching(`[a-z]{0,70}`)).Draw(t, "writes")
		kept := newTail(size)
		for _, w := range writes {
			if n, err := kept.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatalf("wrote %d of %d, %v", n, len(w), err)
			}
		}
		all := strings.Join(writes, "")
		want := all[max(0, len(all)-size):]
		if got := kept.String(); got != want {
			t.Fatalf("got %q, want %q", got, want)
		}
		if got := kept.Dropped(); got != int64(len(all)-len(want)) {
			t.Fatalf("dropped %d", got)
		}
	})
}

func TestTailIsText(t *testing.T) {
	kept := newTail(3)
	kept.Write([]byte("aé€\xff"))
	if got := kept.String(); !utf8.ValidString(got) || got == "" {
		t.Errorf("got %q", got)
	}
}
