package localize

import (
	"testing"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/telemetry"
)

// What is found in one pass over the attributes is what asking for each of them finds.
func TestNotesAreTheAttributes(t *testing.T) {
	keys := []string{telemetry.AttrDBCollection, telemetry.AttrDBNamespace, telemetry.AttrDBQuery, telemetry.AttrDBSystem, telemetry.AttrHTTPStatus,
		telemetry.AttrHTTPRoute, telemetry.AttrMsgDestination, telemetry.AttrMsgOperation, telemetry.AttrPeerService, telemetry.AttrRPCMethod, telemetry.AttrRPCStatus,
		telemetry.AttrServerAddress, telemetry.AttrURLFull, telemetry.AttrURLPath}
	rapid.Check(t, func(t *rapid.T) {
		s := &telemetry.Span{Name: "n", Kind: telemetry.Kind(rapid.IntRange(0, 5).Draw(t, "kind")), Resource: &telemetry.Resource{Service: "s"}}
		for _, k := range keys {
			if v := rapid.SampledFrom([]string{"", "503", "UNAVAILABLE", "receive", "x"}).Draw(t, k); v != "" {
				s.Attrs = append(s.Attrs, telemetry.Attr{Key: k, Value: v})
			}
		}
		a, n := s.Attrs, noted(s.Attrs)
		want := opKey{service: "s", name: "n", kind: s.Kind,
			a: a.First(telemetry.AttrHTTPRoute, telemetry.AttrURLPath, telemetry.AttrURLFull, telemetry.AttrDBQuery),
			b: a.First(telemetry.AttrDBCollection, telemetry.AttrRPCMethod, telemetry.AttrMsgDestination)}
		if s.Kind.Outgoing() {
			want.peer = a.First(telemetry.AttrPeerService, telemetry.AttrServerAddress, telemetry.AttrDBNamespace)
		}
		if got := keyOf(s); got != want {
			t.Fatalf("key %+v, want %+v", got, want)
		}
		if got := judgeBy(s, telemetry.HTTPStatusOf(n.status), n.rpc); got != judge(s) {
			t.Fatalf("outcome %v, want %v", got, judge(s))
		}
		tr := telemetry.GroupTraces([]telemetry.Span{*s})[0]
		f := n.facts(&tr, 0)
		if f.kind() != s.Kind || f.is(receipt) != receives(s) || f.is(statement) != (a.Get(telemetry.AttrDBSystem) != "") {
			t.Fatalf("facts %b of %+v", f, s)
		}
	})
}
