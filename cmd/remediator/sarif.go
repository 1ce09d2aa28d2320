package main

import (
	"fmt"
	"io"
	"net/url"

	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/policy"
	"github.com/remediator/remediator/remedy"
)

// sarifLog is what code scanning reads, SARIF 2.1.0 (OASIS), as far as it is used.
type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool struct {
		Driver sarifDriver `json:"driver"`
	} `json:"tool"`
	Results []sarifResult `json:"results"`
}

type sarifDriver struct {
	Name    string      `json:"name"`
	Version string      `json:"version"`
	URI     string      `json:"informationUri"`
	Rules   []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID string `json:"id"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifResult struct {
	Rule      string          `json:"ruleId"`
	Level     string          `json:"level"` // note, warning, error
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations,omitempty"`
	Rank      *float64        `json:"rank,omitempty"` // 0..100
}

type sarifLocation struct {
	Physical *sarifPhysical `json:"physicalLocation,omitempty"`
	Logical  []sarifLogical `json:"logicalLocations,omitempty"`
}

type sarifPhysical struct {
	Artifact struct {
		URI string `json:"uri"`
	} `json:"artifactLocation"`
	Region *sarifRegion `json:"region,omitempty"`
}

type sarifRegion struct {
	StartLine int `json:"startLine"`
}

type sarifLogical struct {
	Name string `json:"fullyQualifiedName"`
	Kind string `json:"kind"`
}

func writeSARIF(w io.Writer, results []sarifResult) error {
	var run sarifRun
	run.Tool.Driver = sarifDriver{Name: "remediator", Version: version(), URI: "https://github.com/remediator/remediator", Rules: []sarifRule{}}
	run.Results = results
	if results == nil {
		run.Results = []sarifResult{}
	}
	seen := map[string]bool{}
	for _, r := range results {
		if !seen[r.Rule] {
			seen[r.Rule] = true
			run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{r.Rule})
		}
	}
	return writeJSON(w, sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

// decisionSARIF has a result for every rule that denies or holds.
func decisionSARIF(d policy.Decision) []sarifResult {
	var all []sarifResult
	for _, f := range d.Findings {
		level := "warning"
		if f.Effect == policy.Deny {
			level = "error"
		}
		r := sarifResult{Rule: f.Rule, Level: level, Message: sarifText{f.Message}}
		if f.Path != "" {
			p := &sarifPhysical{}
			p.Artifact.URI = (&url.URL{Path: f.Path}).EscapedPath()
			r.Locations = []sarifLocation{{Physical: p}}
		}
		all = append(all, r)
	}
	return all
}

// suspectsSARIF has a result for every suspect. Telemetry alone names services and operations and no files, so without
// places in the code the locations are logical ones.
func suspectsSARIF(res localize.Result, places []remedy.Suspect) []sarifResult {
	var all []sarifResult
	for i, s := range res.Suspects {
		text := fmt.Sprintf("%s %s: confidence %.2f", s.Service, s.Operation, s.Confidence)
		for _, r := range s.Reasons {
			text += "\n" + r.Text
		}
		rank := 100 * s.Score
		at := sarifLocation{Logical: []sarifLogical{{Name: s.Service + "/" + s.Operation, Kind: "operation"}}}
		if places != nil && places[i].File != "" {
			at.Physical = &sarifPhysical{}
			at.Physical.Artifact.URI = (&url.URL{Path: places[i].File}).EscapedPath()
			if places[i].Line > 0 {
				at.Physical.Region = &sarifRegion{places[i].Line}
			}
		}
		all = append(all, sarifResult{Rule: "suspect", Level: "warning", Message: sarifText{text}, Rank: &rank, Locations: []sarifLocation{at}})
	}
	return all
}
