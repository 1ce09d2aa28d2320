package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

type actionFile struct {
	Inputs  map[string]struct{ Description string }
	Outputs map[string]struct{ Description, Value string }
	Runs    struct {
		Using string
		Steps []struct {
			ID, Shell, Run string
			Env            map[string]string
		}
	}
}

// TestInputsReachTheProgram: what action.yml declares, hands on and the code reads are the same.
func TestInputsReachTheProgram(t *testing.T) {
	data, err := os.ReadFile("../action.yml")
	if err != nil {
		t.Fatal(err)
	}
	var a actionFile
	if err := yaml.Unmarshal(data, &a); err != nil {
		t.Fatal(err)
	}
	handed := map[string]bool{}
	for _, s := range a.Runs.Steps {
		if strings.Contains(s.Run, "${{") {
			t.Errorf("step %s: an expression within a script could be made to run: %s", s.ID, s.Run)
		}
		for name, value := range s.Env {
			if input, isInput := strings.CutPrefix(name, "INPUT_"); isInput {
				input = strings.ToLower(strings.ReplaceAll(input, "_", "-"))
				handed[input] = true
				if value != "${{ inputs."+input+" }}" {
					t.Errorf("step %s: %s is %s", s.ID, name, value)
				}
			}
		}
	}
	read := map[string]bool{"version": true, "sha256": true} // by the install script
	files, err := filepath.Glob("../internal/workflow/*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no source of internal/workflow")
	}
	inCode, inList := regexp.MustCompile(`\binput\("([a-z0-9-]+)"\)`), regexp.MustCompile(`range \[\]string\{(("[a-z-]+"(, )?)+)\} \{\n\t+v := s\.input\(name\)`)
	for _, f := range files {
		if strings.HasSuffix(f, "_test.go") {
			continue
		}
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range inCode.FindAllStringSubmatch(string(text), -1) {
			read[m[1]] = true
		}
		for _, m := range inList.FindAllStringSubmatch(string(text), -1) {
			for _, name := range strings.Split(m[1], ", ") {
				read[strings.Trim(name, `"`)] = true
			}
		}
	}
	for name, in := range a.Inputs {
		if !handed[name] || !read[name] || in.Description == "" {
			t.Errorf("input %s: handed on %v, read %v, description %q", name, handed[name], read[name], in.Description)
		}
	}
	for name := range read {
		if _, declared := a.Inputs[name]; !declared {
			t.Errorf("the code reads the input %s, which action.yml does not declare", name)
		}
	}
	for _, name := range []string{"state", "pull-request-url", "case"} {
		if a.Outputs[name].Value != "${{ steps.step.outputs."+name+" }}" {
			t.Errorf("output %s is %s", name, a.Outputs[name].Value)
		}
	}
}
