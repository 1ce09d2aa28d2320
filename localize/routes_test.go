package localize

import (
	"fmt"
	"strings"
	"testing"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/telemetry"
)

var firstNames = strings.Fields("ada bob cleo dan eva finn gus hana ivo jana kai lena max nora otto pia quin rosa sven tina udo vera will xena yuri zoe anna bert carl dora emil fred gina hugo ines jack kurt lisa mona nils olga paul rita sara theo ulla viola walt yves zara")

func TestLiteralPathsAreOneOperation(t *testing.T) {
	request := func(i int, fail bool) node {
		c := node{service: "portal", name: "GET", kind: telemetry.KindClient, self: ms, fail: fail, attrs: []string{telemetry.AttrHTTPMethod, "GET",
			telemetry.AttrServerAddress, "directory.example", telemetry.AttrURLFull, fmt.Sprintf("https://directory.example/people/%s/photo?size=%s", firstNames[i%len(firstNames)], firstNames[(i+3)%len(firstNames)])}}
		s := server("portal", "GET /people", ms, c)
		s.fail = fail
		return s
	}
	cur, old := windows(300, func(_ *world, i int) node { return request(i, false) }, func(_ *world, i int) node { return request(i, i%2 == 0) })
	r := Rank(incident.Incident{}, evidence(cur, old), Options{})
	if len(r.Suspects) == 0 || r.Suspects[0].Service != "portal" || r.Suspects[0].Operation != "GET /people/{id}/photo" {
		t.Fatalf("%s", says(r))
	}
	n := 0
	for _, x := range r.Suspects[0].Reasons {
		if x.Signal == "errors" {
			n++
		}
	}
	if n != 1 {
		t.Errorf("the case is split into %d reasons:\n%s", n, says(r))
	}
}

func TestEndpointsThatComeAgainStayApart(t *testing.T) {
	r := newRoutes()
	var spans []telemetry.Span
	for i := range 2000 {
		spans = append(spans, telemetry.Span{Resource: &telemetry.Resource{Service: "s"}, Kind: telemetry.KindServer,
			Attrs: attrs(telemetry.AttrHTTPMethod, "GET", telemetry.AttrURLPath, "/api/"+firstNames[i%len(firstNames)])})
	}
	r.learn(spans)
	r.settle()
	if got, ok := r.of(&spans[0]); ok {
		t.Errorf("fifty endpoints of forty requests each became %q", got)
	}
}

func TestCallsOfTwoPeersAreTwoOperations(t *testing.T) {
	ops := newOperations()
	call := func(host string) *telemetry.Span {
		return &telemetry.Span{Resource: &telemetry.Resource{Service: "s"}, Name: "GET", Kind: telemetry.KindClient,
			Attrs: attrs(telemetry.AttrHTTPMethod, "GET", telemetry.AttrURLPath, "/status", telemetry.AttrServerAddress, host)}
	}
	if ops.of(call("north.example")) == ops.of(call("south.example")) {
		t.Error("two hosts, one operation")
	}
	if ops.of(call("10.0.0.1")) != ops.of(call("10.0.0.2")) {
		t.Error("two instances, two operations")
	}
}
