package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/remediator/remediator/remedy"
	"github.com/remediator/remediator/replay"
)

// junitSuites is the report that CI systems read tests from (the schema of Jenkins' xunit plugin).
type junitSuites struct {
	XMLName  xml.Name     `xml:"testsuites"`
	Name     string       `xml:"name,attr"`
	Tests    int          `xml:"tests,attr"`
	Failures int          `xml:"failures,attr"`
	Suites   []junitSuite `xml:"testsuite"`
}

type junitSuite struct {
	Name     string      `xml:"name,attr"`
	Tests    int         `xml:"tests,attr"`
	Failures int         `xml:"failures,attr"`
	Cases    []junitCase `xml:"testcase"`
	Output   string      `xml:"system-out,omitempty"`
}

type junitCase struct {
	Class   string        `xml:"classname,attr"`
	Name    string        `xml:"name,attr"`
	Failure *junitFailure `xml:"failure,omitempty"`
}

type junitFailure struct {
	Message string `xml:"message,attr"`
	Type    string `xml:"type,attr"`
	Text    string `xml:",chardata"`
}

// writeJUnit writes replays as a suite for each service, with a case for the verdict and one for every golden case that
// differs. Golden cases that do not differ are counted by the verdict and not listed: it does not name them.
func writeJUnit(w io.Writer, replays []remedy.Replay) error {
	all := junitSuites{Name: "remediator replay"}
	for i := range replays {
		s := junitOf(&replays[i])
		all.Tests, all.Failures = all.Tests+s.Tests, all.Failures+s.Failures
		all.Suites = append(all.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	enc := xml.NewEncoder(w)
	enc.Indent("", "  ")
	if err := enc.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func junitOf(r *remedy.Replay) junitSuite {
	s := junitSuite{Name: r.Name, Output: r.Verdict.Why}
	verdict := junitCase{Class: r.Name, Name: "golden traces"}
	if !r.OK {
		verdict.Failure = &junitFailure{Message: r.Verdict.Why, Type: string(r.Verdict.Outcome)}
	}
	s.Cases = append(s.Cases, verdict)
	byCase := map[string][]replay.Difference{}
	var order []string
	for _, d := range r.Verdict.Differences {
		if byCase[d.Case] == nil {
			order = append(order, d.Case)
		}
		byCase[d.Case] = append(byCase[d.Case], d)
	}
	for _, name := range order {
		var text strings.Builder
		for _, d := range byCase[name] {
			fmt.Fprintf(&text, "%s %s %s: recorded %s, replayed %s\n", d.Target, d.Kind, d.Pointer, d.Recorded, d.Replayed)
		}
		first := byCase[name][0]
		s.Cases = append(s.Cases, junitCase{Class: r.Name, Name: name, Failure: &junitFailure{
			Message: fmt.Sprintf("%s %s: recorded %s, replayed %s", first.Target, first.Kind, first.Recorded, first.Replayed), Type: first.Target, Text: text.String(),
		}})
	}
	for _, c := range s.Cases {
		s.Tests++
		if c.Failure != nil {
			s.Failures++
		}
	}
	return s
}
