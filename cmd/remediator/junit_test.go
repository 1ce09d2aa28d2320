package main

import (
	"bytes"
	"encoding/xml"
	"strings"
	"testing"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

func TestJUnit(t *testing.T) {
	var out bytes.Buffer
	err := writeJUnit(&out, []remedy.Replay{
		{Name: "orders", OK: true, Verdict: replay.Verdict{Outcome: replay.Green, Why: "all 3 golden cases"}},
		{Name: "payments", Verdict: replay.Verdict{Outcome: replay.Red, Why: "2 of 8 differ", Differences: []replay.Difference{
			{Case: "card-declined", Target: "status", Kind: "changed", Recorded: "402", Replayed: "<b>&\x00"},
			{Case: "card-declined", Target: "body", Kind: "missing", Pointer: "/id"},
			{Case: "refund", Target: "span", Kind: "count"},
		}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var got junitSuites
	if err := xml.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatalf("not XML: %v\n%s", err, out.String())
	}
	if got.Tests != 4 || got.Failures != 3 || len(got.Suites) != 2 || got.Suites[1].Tests != 3 || got.Suites[1].Failures != 3 {
		t.Errorf("counts: %+v", got)
	}
	declined := got.Suites[1].Cases[1]
	if declined.Name != "card-declined" || !strings.Contains(declined.Failure.Text, "body missing /id") || !strings.Contains(declined.Failure.Message, "recorded 402, replayed <b>&") {
		t.Errorf("case: %+v, %+v", declined, declined.Failure)
	}
	if got.Suites[0].Cases[0].Failure != nil {
		t.Errorf("a green service failed: %+v", got.Suites[0])
	}
}
