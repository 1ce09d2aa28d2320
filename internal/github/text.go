package github

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// GitHub's limits. Where its documentation counts characters, runes are counted here.
const (
	maxTitle             = 256
	maxBody              = 65536
	maxCheckText         = 65535
	maxStatusDescription = 140
	maxLabel             = 50
	maxLabelDescription  = 100
	maxLabels            = 20 // of ours; GitHub allows 100 on a pull request
)

// branchPrefix starts the names of all branches that are written.
const branchPrefix = "remediator/"

var (
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,100}/[A-Za-z0-9_.-]{1,100}$`)
	branchName     = regexp.MustCompile(`^remediator/[A-Za-z0-9][A-Za-z0-9._-]{0,99}$`)
	refName        = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/+#-]{0,199}$`)
	fullHash       = regexp.MustCompile(`^[0-9a-f]{40}$`)
	loginName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,99}$`)
	fingerprintHex = regexp.MustCompile(`^[0-9a-f]{12,64}$`)
	markerKey      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9:._/-]{0,199}$`)
)

// splitRepository checks owner/name, which becomes part of paths.
func splitRepository(repo string) (owner, name string, err error) {
	owner, name, _ = strings.Cut(repo, "/")
	if !repositoryName.MatchString(repo) || strings.Trim(owner, ".") == "" || strings.Trim(name, ".") == "" {
		return "", "", fmt.Errorf("github: %q is not a repository; write owner/name", cutRunes(oneLine(repo), 100))
	}
	return owner, name, nil
}

// checkBranch accepts the names that the tool gives to branches, nothing else.
func checkBranch(branch string) error {
	if !branchName.MatchString(branch) || strings.Contains(branch, "..") || strings.HasSuffix(branch, ".") || strings.HasSuffix(branch, ".lock") {
		return fmt.Errorf("github: %q is not a branch that may be written; it has to begin with %s", cutRunes(oneLine(branch), 100), branchPrefix)
	}
	return nil
}

// checkRef accepts a name of a branch that is only read.
func checkRef(branch string) error {
	if !refName.MatchString(branch) || strings.Contains(branch, "..") || strings.Contains(branch, "//") || strings.HasSuffix(branch, "/") {
		return fmt.Errorf("github: %q is not a branch name", cutRunes(oneLine(branch), 100))
	}
	return nil
}

func checkHash(sha string) error {
	if !fullHash.MatchString(sha) {
		return fmt.Errorf("github: %q is not the full hash of a commit", cutRunes(oneLine(sha), 80))
	}
	return nil
}

// title makes one bounded line that mentions nobody.
func title(s string) (string, error) {
	s = cutRunes(strings.ReplaceAll(oneLine(s), "@", "(at)"), maxTitle)
	if s == "" {
		return "", errors.New("github: the title is empty")
	}
	return s, nil
}

// oneLine replaces everything that is no printable character and drops what is invisible or
// changes the direction of writing.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return '?'
		case unicode.IsSpace(r), unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r):
			return -1
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}

// cutRunes shortens to n characters, the last one being an ellipsis if anything was cut.
func cutRunes(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	r := []rune(s)
	return strings.TrimSpace(string(r[:n-1])) + "…"
}

// document makes Markdown valid UTF-8 of at most limit characters, cut at a line, with a note that says so.
func document(s string, limit int, more string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "\r\n", "\n")
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) && r != '\n' && r != '\t' {
			return -1
		}
		return r
	}, s)
	// A character outside the basic plane counts as two, and some limits of GitHub count bytes; the
	// limit holds in bytes, which is on the safe side of both.
	if len(s) <= limit {
		return s
	}
	note := "\n\n*Cut here, since GitHub takes no more. " + more + "*\n"
	room := s[:limit-len(note)-4]
	for !utf8.ValidString(room) {
		room = room[:len(room)-1]
	}
	if at := strings.LastIndexByte(room, '\n'); at > len(room)/2 {
		room = room[:at]
	}
	if strings.Count(room, "```")%2 == 1 {
		room += "\n```"
	}
	return room + note
}

// same compares texts as GitHub stores them.
func same(a, b string) bool {
	normal := func(s string) string { return strings.TrimSpace(strings.ReplaceAll(s, "\r\n", "\n")) }
	return normal(a) == normal(b)
}
