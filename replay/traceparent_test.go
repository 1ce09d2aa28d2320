package replay

import (
	"strings"
	"testing"
)

func TestTraceparent(t *testing.T) {
	tp := newTraceparent("seed", 7)
	got, ok := parseTraceparent(tp.String())
	if !ok || got != tp {
		t.Errorf("%v %v", got, ok)
	}
	if tp == newTraceparent("seed", 8) || tp == newTraceparent("other", 7) || tp != newTraceparent("seed", 7) {
		t.Error("ids do not follow seed and number")
	}
	zero := strings.Repeat("0", 32)
	for _, bad := range []string{"", "00", "00-" + zero + "-0000000000000001-01", "00-" + tp.trace.String() + "-" + strings.Repeat("0", 16) + "-01", "ff" + tp.String()[2:], strings.ReplaceAll(tp.String(), "-", "_"), "00-" + strings.Repeat("z", 32) + "-" + tp.span.String() + "-01"} {
		if _, ok := parseTraceparent(bad); ok {
			t.Errorf("%q is accepted", bad)
		}
	}
}
