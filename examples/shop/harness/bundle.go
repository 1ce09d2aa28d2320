package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/remediator/remediator/examples/shop"
)

// change, deploy and flagChange are the entries of the files under context/.
type change struct {
	SHA     string        `json:"sha"`
	Time    time.Time     `json:"time"`
	Author  string        `json:"author"`
	Service string        `json:"service"`
	Message string        `json:"message"`
	Files   []changedFile `json:"files"`
}

type changedFile struct {
	Path  string `json:"path"`
	Patch string `json:"patch,omitempty"`
}

type deploy struct {
	Time    time.Time `json:"time"`
	Service string    `json:"service"`
	SHA     string    `json:"sha"`
	Version string    `json:"version"`
}

type flagChange struct {
	Time    time.Time `json:"time"`
	Flag    string    `json:"flag"`
	Service string    `json:"service"`
	Change  string    `json:"change"`
	Actor   string    `json:"actor"`
}

// write makes the bundle. The directory is replaced as a whole.
func (s *stage) write(out string, p play, scenario shop.Scenario, alert []byte, before, after window, python []string) error {
	files := map[string][]byte{"alert.json": alert}
	var builds []build
	for _, c := range s.history.Commits {
		builds = append(builds, build{dir: filepath.Join(s.work, c.SHA[:12])})
	}
	clean := machineFree(s.work, python, builds...)
	for dir, win := range map[string]window{"baseline": before, "incident": after} {
		recorded, err := s.collector.files(win, clean)
		if err != nil {
			return fmt.Errorf("%s: %w", dir, err)
		}
		for name, content := range recorded {
			files[dir+"/"+name] = content
		}
	}

	t := p.Truth
	if scenario.Culprit != "" {
		culprit, ok := s.history.Commit(scenario.Culprit)
		if !ok {
			return fmt.Errorf("scenario %q has no commit %q", scenario.Name, scenario.Culprit)
		}
		t.Commit = culprit.SHA
	}
	for name, value := range map[string]any{
		"context/changes.json": changes(s.history),
		"context/deploys.json": orEmpty(s.deploys),
		"context/flags.json":   orEmpty(s.flags),
		"truth.json":           t,
	} {
		text, err := json.MarshalIndent(value, "", "  ")
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		files[name] = append(text, '\n')
	}

	if err := os.RemoveAll(out); err != nil {
		return err
	}
	for name, content := range files {
		path := filepath.Join(out, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
		s.log.Info("wrote", "file", name, "bytes", len(content))
	}
	return nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// changes are the commits of a history except for the first, which brought everything.
func changes(h shop.History) []change {
	var list []change
	for _, c := range h.Commits[1:] {
		entry := change{SHA: c.SHA, Time: c.Time.UTC(), Author: c.Author, Message: c.Message, Service: serviceOf(c)}
		for _, f := range c.Files {
			entry.Files = append(entry.Files, changedFile{Path: f.Path, Patch: f.Hunks})
		}
		list = append(list, entry)
	}
	return list
}

// serviceOf is the one service whose files a commit touched, "" if there is none or are several.
func serviceOf(c shop.Commit) string {
	found := ""
	for _, f := range c.Files {
		for _, s := range services {
			if strings.HasPrefix(f.Path, s.name+"/") || strings.HasPrefix(f.Path, "cmd/"+s.name+"/") || f.Path == "config/"+s.name+".json" {
				if found != "" && found != s.name {
					return ""
				}
				found = s.name
			}
		}
	}
	return found
}
