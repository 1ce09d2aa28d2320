package githubtest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// store is a bare git repository, worked on with git itself.
type store struct{ dir string }

// storeConfig lets git serve a repository as GitHub does.
const storeConfig = `[http]
	receivepack = true
[uploadpack]
	allowAnySHA1InWant = true
[receive]
	hideRefs = refs/pull
[gc]
	auto = 0
[user]
	name = GitHub
	email = noreply@github.com
`

// makeStore makes a bare repository of a directory: of all its refs when it is a clone, of its files in one
// commit on main otherwise. An empty source gives an empty repository.
func makeStore(dir, source string) (*store, error) {
	g := &store{dir: dir}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return nil, err
	}
	if out, err := plainGit("", "init", "--quiet", "--bare", "--initial-branch=main", dir); err != nil {
		return nil, fmt.Errorf("git init: %w: %s", err, out)
	}
	config, err := os.OpenFile(filepath.Join(dir, "config"), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return nil, err
	}
	_, err = config.WriteString(storeConfig)
	if err := errors.Join(err, config.Close()); err != nil {
		return nil, err
	}
	if source == "" {
		return g, nil
	}
	source, err = filepath.Abs(source)
	if err != nil {
		return nil, err
	}
	if _, err := plainGit(source, "rev-parse", "--git-dir"); err == nil && isRoot(source) {
		if _, err := g.run(nil, "fetch", "--quiet", source, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"); err != nil {
			return nil, err
		}
		if head, err := plainGit(source, "symbolic-ref", "HEAD"); err == nil {
			_, err = g.run(nil, "symbolic-ref", "HEAD", strings.TrimSpace(head))
			return g, err
		}
		return g, nil
	}
	return g, g.importFiles(source)
}

// isRoot says whether a directory is itself a repository and does not merely lie in one.
func isRoot(dir string) bool {
	top, err := plainGit(dir, "rev-parse", "--show-toplevel")
	if err != nil {
		return true // bare
	}
	real, err := filepath.EvalSymlinks(dir)
	return err == nil && strings.TrimSpace(top) == real
}

func (g *store) importFiles(source string) error {
	index := filepath.Join(g.dir, "import.index")
	defer os.Remove(index)
	env := []string{"GIT_INDEX_FILE=" + index, "GIT_WORK_TREE=" + source}
	if _, err := g.runEnv(env, nil, "add", "--all", "--force", "."); err != nil {
		return err
	}
	tree, err := g.runEnv(env, nil, "write-tree")
	if err != nil {
		return err
	}
	commit, err := g.run([]byte("Import\n"), "commit-tree", strings.TrimSpace(tree))
	if err != nil {
		return err
	}
	_, err = g.run(nil, "update-ref", "refs/heads/main", strings.TrimSpace(commit))
	return err
}

// cleanEnv keeps the user's git configuration away.
func cleanEnv() []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=/nonexistent", "GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull,
		"GIT_TERMINAL_PROMPT=0", "LC_ALL=C",
	}
}

func plainGit(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	// A directory that belongs to somebody else is still a fixture, not a place whose hooks are run.
	cmd.Env = append(cleanEnv(), "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (g *store) run(in []byte, args ...string) (string, error) { return g.runEnv(nil, in, args...) }

func (g *store) runEnv(env []string, in []byte, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = g.dir
	cmd.Env = append(append(cleanEnv(), "GIT_DIR="+g.dir, "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*"), env...)
	cmd.Stdin = bytes.NewReader(in)
	var out, problem bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &problem
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("git %s: %w: %s", args[0], err, strings.TrimSpace(problem.String()))
	}
	return out.String(), nil
}

// line runs git and returns its output without the newline, "" when it fails.
func (g *store) line(args ...string) string {
	out, err := g.run(nil, args...)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

func isHash(s string) bool {
	if len(s) != 40 {
		return false
	}
	for _, c := range s {
		if !strings.ContainsRune("0123456789abcdef", c) {
			return false
		}
	}
	return true
}

// kind is the type of an object, "" when it is not there.
func (g *store) kind(sha string) string {
	if !isHash(sha) {
		return ""
	}
	return g.line("cat-file", "-t", sha)
}

// refs are all refs and where they point.
func (g *store) refs() map[string]string {
	all := map[string]string{}
	out, _ := g.run(nil, "for-each-ref", "--format=%(refname) %(objectname)")
	for l := range strings.Lines(out) {
		if name, sha, ok := strings.Cut(strings.TrimSpace(l), " "); ok {
			all[name] = sha
		}
	}
	return all
}

// commitOf resolves a branch, tag, ref or hash to a commit; "" when there is none.
func (g *store) commitOf(name string) string {
	if name == "" || strings.HasPrefix(name, "-") {
		return ""
	}
	for _, candidate := range []string{"refs/heads/" + name, "refs/tags/" + name, "refs/" + name, name} {
		if sha := g.line("rev-parse", "--verify", "--quiet", "--end-of-options", candidate+"^{commit}"); sha != "" {
			return sha
		}
	}
	return ""
}

// ancestor says whether a is an ancestor of b or b itself.
func (g *store) ancestor(a, b string) bool {
	_, err := g.run(nil, "merge-base", "--is-ancestor", a, b)
	return err == nil
}

// person is an author or committer line of a commit.
type person struct {
	name, email string
	when        time.Time
}

func (p person) String() string {
	return fmt.Sprintf("%s <%s> %d %s", p.name, p.email, p.when.Unix(), p.when.Format("-0700"))
}

func (p person) json() object {
	return object{"name": p.name, "email": p.email, "date": stamp(p.when)}
}

// commit is a commit object, taken apart.
type commit struct {
	sha, tree         string
	parents           []string
	author, committer person
	signature         string
	message           string
	payload           string // what the signature is over
}

func (g *store) commit(sha string) (commit, error) {
	raw, err := g.run(nil, "cat-file", "commit", sha)
	if err != nil {
		return commit{}, err
	}
	c := commit{sha: sha}
	head, message, _ := strings.Cut(raw, "\n\n")
	c.message = message
	var plain []string
	signing := false
	for _, l := range strings.Split(head, "\n") {
		if signing && strings.HasPrefix(l, " ") {
			c.signature += "\n" + l[1:]
			continue
		}
		signing = false
		key, value, _ := strings.Cut(l, " ")
		switch key {
		case "tree":
			c.tree = value
		case "parent":
			c.parents = append(c.parents, value)
		case "author":
			c.author = parsePerson(value)
		case "committer":
			c.committer = parsePerson(value)
		case "gpgsig":
			c.signature, signing = value, true
			continue
		}
		plain = append(plain, l)
	}
	c.payload = strings.Join(plain, "\n") + "\n\n" + message
	return c, nil
}

func parsePerson(line string) person {
	open, end := strings.LastIndex(line, " <"), strings.LastIndex(line, "> ")
	if open < 0 || end < open {
		return person{name: line}
	}
	p := person{name: line[:open], email: line[open+2 : end]}
	secs, zone, _ := strings.Cut(line[end+2:], " ")
	n, _ := strconv.ParseInt(secs, 10, 64)
	p.when = time.Unix(n, 0).UTC()
	if z, err := time.Parse("-0700", zone); err == nil {
		p.when = p.when.In(z.Location())
	}
	return p
}

// writeCommit stores a commit object and returns its hash. A signature is stored as git does, so that the hash is
// the one the signer computed.
func (g *store) writeCommit(c commit) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "tree %s\n", c.tree)
	for _, p := range c.parents {
		fmt.Fprintf(&b, "parent %s\n", p)
	}
	fmt.Fprintf(&b, "author %s\ncommitter %s\n", c.author, c.committer)
	if c.signature != "" {
		fmt.Fprintf(&b, "gpgsig %s\n", strings.ReplaceAll(strings.TrimRight(c.signature, "\n"), "\n", "\n "))
	}
	fmt.Fprintf(&b, "\n%s", c.message)
	out, err := g.run([]byte(b.String()), "hash-object", "-t", "commit", "-w", "--stdin")
	return strings.TrimSpace(out), err
}

// treeEntry is one line of a tree.
type treeEntry struct {
	mode, kind, sha, path string
	size                  int64
}

func (g *store) tree(sha string, recursive bool) ([]treeEntry, error) {
	args := []string{"ls-tree", "-z", "-l"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := g.run(nil, append(args, sha)...)
	if err != nil {
		return nil, err
	}
	var all []treeEntry
	for _, l := range strings.Split(strings.TrimSuffix(out, "\x00"), "\x00") {
		meta, path, ok := strings.Cut(l, "\t")
		f := strings.Fields(meta)
		if !ok || len(f) != 4 {
			continue
		}
		size, _ := strconv.ParseInt(f[3], 10, 64)
		all = append(all, treeEntry{f[0], f[1], f[2], path, size})
	}
	return all, nil
}

// editTree applies changes to a tree, "" for an empty one; an entry with sha "" is removed.
func (g *store) editTree(base string, changes []treeEntry) (string, error) {
	index, err := os.CreateTemp(g.dir, "index-")
	if err != nil {
		return "", err
	}
	index.Close()
	defer os.Remove(index.Name())
	if err := os.Remove(index.Name()); err != nil {
		return "", err
	}
	env := []string{"GIT_INDEX_FILE=" + index.Name()}
	if base != "" {
		if _, err := g.runEnv(env, nil, "read-tree", base); err != nil {
			return "", err
		}
	}
	var in bytes.Buffer
	for _, c := range changes {
		switch {
		case c.sha == "":
			fmt.Fprintf(&in, "0 %040d\t%s\x00", 0, c.path)
		case c.kind == "tree":
			// A subtree replaces everything below its path.
			if _, err := g.runEnv(env, nil, "rm", "-r", "--cached", "--quiet", "--ignore-unmatch", "--", c.path); err != nil {
				return "", err
			}
			if _, err := g.runEnv(env, nil, "read-tree", "--prefix="+c.path+"/", c.sha); err != nil {
				return "", err
			}
		default:
			fmt.Fprintf(&in, "%s %s\t%s\x00", c.mode, c.sha, c.path)
		}
	}
	if _, err := g.runEnv(env, in.Bytes(), "update-index", "-z", "--index-info"); err != nil {
		return "", err
	}
	out, err := g.runEnv(env, nil, "write-tree")
	return strings.TrimSpace(out), err
}

// mergeTree merges two commits; ok is false on a conflict.
func (g *store) mergeTree(ours, theirs string) (tree string, ok bool) {
	out, err := g.run(nil, "merge-tree", "--write-tree", ours, theirs)
	tree, _, _ = strings.Cut(out, "\n")
	return tree, err == nil && isHash(tree)
}
