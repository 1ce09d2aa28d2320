package github

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/remediator/remediator/remedy/docket"
)

// maxCommit bounds a raw commit object.
const maxCommit = 1 << 20

// commitObject is a commit as git stores it, taken apart the way GitHub's API takes it.
type commitObject struct {
	tree      string
	parents   []string
	author    person
	committer person
	signature string // armored, without the line break at its end
	message   string
}

type person struct {
	name, email string
	when        time.Time
}

// objectHash is the name of an object: SHA-1 over a header and the content (gitformat-pack(5)).
func objectHash(kind string, content []byte) string {
	h := sha1.New()
	fmt.Fprintf(h, "%s %d\x00", kind, len(content))
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

// parseCommit takes a raw commit object apart. It refuses whatever could not be put together again from
// the parts.
func parseCommit(raw []byte) (*commitObject, error) {
	if len(raw) > maxCommit {
		return nil, fmt.Errorf("the commit object is larger than %d KiB", maxCommit>>10)
	}
	if !utf8.Valid(raw) {
		return nil, errors.New("the commit object is not UTF-8, which is all that GitHub's API takes")
	}
	head, message, ok := strings.Cut(string(raw), "\n\n")
	if !ok {
		return nil, errors.New("the commit object has no message")
	}
	c := &commitObject{message: message}
	lines := strings.Split(head, "\n")
	for i := 0; i < len(lines); i++ {
		key, value, _ := strings.Cut(lines[i], " ")
		var err error
		switch key {
		case "tree":
			c.tree = value
		case "parent":
			c.parents = append(c.parents, value)
		case "author":
			c.author, err = parsePerson(value)
		case "committer":
			c.committer, err = parsePerson(value)
		case "gpgsig":
			for i+1 < len(lines) && strings.HasPrefix(lines[i+1], " ") {
				i++
				value += "\n" + lines[i][1:]
			}
			c.signature = value
		default:
			err = fmt.Errorf("has a header %q, which GitHub's API cannot write", cutRunes(oneLine(key), 40))
		}
		if err != nil {
			return nil, fmt.Errorf("the commit object %w", err)
		}
	}
	if !bytes.Equal(c.encode(), raw) {
		return nil, errors.New("the commit object is not in git's usual form, so GitHub would store it under another hash")
	}
	return c, nil
}

// parsePerson reads "Name <address> seconds zone".
func parsePerson(s string) (person, error) {
	open, end := strings.LastIndex(s, " <"), strings.LastIndex(s, "> ")
	if open < 0 || end < open {
		return person{}, errors.New("names nobody in the form name <address> time")
	}
	seconds, zone, _ := strings.Cut(s[end+2:], " ")
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at < 0 || at > 1<<40 || len(zone) != 5 {
		return person{}, errors.New("has a time that is not seconds and a zone")
	}
	offset, err := strconv.Atoi(zone)
	if err != nil {
		return person{}, errors.New("has a time zone that is not like +0000")
	}
	where := time.FixedZone("", (offset/100*60+offset%100)*60)
	return person{name: s[:open], email: s[open+2 : end], when: time.Unix(at, 0).In(where)}, nil
}

// encode is the inverse of parseCommit.
func (c *commitObject) encode() []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "tree %s\n", c.tree)
	for _, p := range c.parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	for _, who := range []struct {
		key string
		person
	}{{"author", c.author}, {"committer", c.committer}} {
		fmt.Fprintf(&b, "%s %s <%s> %d %s\n", who.key, who.name, who.email, who.when.Unix(), who.when.Format("-0700"))
	}
	if c.signature != "" {
		fmt.Fprintf(&b, "gpgsig %s\n", strings.ReplaceAll(c.signature, "\n", "\n "))
	}
	b.WriteByte('\n')
	b.WriteString(c.message)
	return b.Bytes()
}

// checkChange looks whether the parts of a change belong together, before anything is sent.
func checkChange(c docket.Change) (*commitObject, error) {
	object, err := parseCommit(c.Commit)
	if err != nil {
		return nil, fmt.Errorf("github: %w", err)
	}
	switch got := objectHash("commit", c.Commit); {
	case got != c.SHA:
		return nil, fmt.Errorf("github: the commit object is %s, not %s as the evidence says", got, cutRunes(oneLine(c.SHA), 64))
	case object.tree != c.Tree:
		return nil, fmt.Errorf("github: the commit holds tree %s, not %s as the evidence says", object.tree, cutRunes(oneLine(c.Tree), 64))
	case len(object.parents) != 1 || object.parents[0] != c.Base:
		return nil, fmt.Errorf("github: the commit does not stand on its base %s alone", cutRunes(oneLine(c.Base), 64))
	case len(c.Files) == 0:
		return nil, errors.New("github: the change touches no file")
	}
	return object, nil
}
