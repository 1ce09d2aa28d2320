package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"sort"
	"strings"
)

// Bounds of a golden set. Sets live in repositories and are reviewed; these are far
// above anything reviewable.
const (
	maxSetBytes = 64 << 20
	maxCases    = 10_000
)

// ReadSet reads a golden trace set strictly: unknown and repeated keys, wrong types, dangling references and a wrong
// integrity digest are errors that name the place as a JSON pointer and the next step.
func ReadSet(in io.Reader) (*Set, error) {
	data, err := io.ReadAll(io.LimitReader(in, maxSetBytes+1))
	if err != nil {
		return nil, fmt.Errorf("reading the golden set: %w", err)
	}
	if len(data) > maxSetBytes {
		return nil, fmt.Errorf("golden set is larger than %d MiB; split it into several sets", maxSetBytes>>20)
	}
	doc, err := decodeJSON(data)
	if err != nil {
		return nil, fmt.Errorf("golden set is not valid JSON: %w", err)
	}
	// The schema is looked at first: for another format every further message would mislead.
	if object, ok := doc.(map[string]any); ok {
		if s, _ := object["schema"].(string); s != Schema {
			return nil, fmt.Errorf("/schema: %q is not %q (record the set again, or use the version of remediator that wrote it)", clip(s, 60), Schema)
		}
	}
	if err := conforms(doc, setType, nil); err != nil {
		return nil, err
	}
	var set Set
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&set); err != nil {
		return nil, fmt.Errorf("golden set: %w", err)
	}
	if err := set.Validate(); err != nil {
		return nil, err
	}
	want, err := digest(set.Cases)
	if err != nil {
		return nil, fmt.Errorf("golden set: %w", err)
	}
	if set.Integrity != want {
		return nil, fmt.Errorf("/integrity: %q does not match the cases, which have %q (the set was edited by hand or damaged; review it, then seal it with `remediator golden seal`)", clip(set.Integrity, 80), want)
	}
	// Files are indented and the wire is not: what is sent and matched has the one form.
	for i := range set.Cases {
		if err := canonicalBodies(&set.Cases[i]); err != nil {
			return nil, fmt.Errorf("/cases/%d: %w", i, err)
		}
	}
	return &set, nil
}

// WriteSet writes the set in its one canonical form: the integrity digest computed, keys of structures in a
// fixed order, maps and bodies sorted, two spaces of indentation and a final newline.
func WriteSet(out io.Writer, set *Set) error {
	sealed := *set
	sealed.Schema = Schema
	// Bodies are normalised through a decode, so that the same content is the same bytes.
	raw, err := json.Marshal(sealed.Cases)
	if err != nil {
		return fmt.Errorf("golden set %s: %w", set.ID, err)
	}
	sealed.Cases = nil
	if err := json.Unmarshal(raw, &sealed.Cases); err != nil {
		return fmt.Errorf("golden set %s: %w", set.ID, err)
	}
	for i := range sealed.Cases {
		if err := canonicalBodies(&sealed.Cases[i]); err != nil {
			return fmt.Errorf("/cases/%d: %w", i, err)
		}
	}
	if sealed.Integrity, err = digest(sealed.Cases); err != nil {
		return err
	}
	if err := sealed.Validate(); err != nil {
		return err
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(&sealed); err != nil {
		return err
	}
	_, err = out.Write(b.Bytes())
	return err
}

func canonicalBodies(c *Case) error {
	bodies := []*json.RawMessage{&c.Request.Body, &c.Response.Body, &c.Response.Shape}
	for i := range c.Downstream {
		d := &c.Downstream[i]
		bodies = append(bodies, &d.Request.Body, &d.Response.Body, &d.Response.Shape)
	}
	for _, b := range bodies {
		if len(*b) == 0 {
			continue
		}
		v, err := decodeJSON(*b)
		if err != nil {
			return fmt.Errorf("body: %w", err)
		}
		if *b, err = canonicalJSON(v); err != nil {
			return err
		}
	}
	return nil
}

// Digest returns the integrity digest of the set's cases as they are now.
func (s *Set) Digest() (string, error) { return digest(s.Cases) }

// LoadSets reads the sets at the given paths, each a file or a directory whose .json files are
// read. A path that leads to no set is an error, so that a typing mistake never looks like a
// replay without differences. Sets come in order of their paths.
func LoadSets(fsys fs.FS, paths ...string) ([]*Set, error) {
	var files []string
	for _, p := range paths {
		p = path.Clean(strings.TrimPrefix(p, "./"))
		if !fs.ValidPath(p) {
			return nil, fmt.Errorf("golden set path %q leads out of the repository (name it relative to the root)", p)
		}
		found, err := setFiles(fsys, p)
		if err != nil {
			return nil, err
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		return nil, errors.New("no golden set named (list files or directories under `golden` of the service, or record one)")
	}
	sort.Strings(files)
	var sets []*Set
	byID := map[string]string{}
	for i, name := range files {
		if i > 0 && files[i-1] == name {
			continue
		}
		set, err := readSetFile(fsys, name)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if other, ok := byID[set.ID]; ok {
			return nil, fmt.Errorf("%s: set id %q is also that of %s (give each set its own id)", name, set.ID, other)
		}
		byID[set.ID] = name
		sets = append(sets, set)
	}
	return sets, nil
}

func setFiles(fsys fs.FS, p string) ([]string, error) {
	// Every directory on the way is looked at: a link in the middle leads out of the repository too.
	for i := range p {
		if p[i] != '/' {
			continue
		}
		if info, err := lstat(fsys, p[:i]); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return nil, fmt.Errorf("golden sets at %s: %s is a symbolic link, which is not followed (name the real path)", p, p[:i])
		}
	}
	info, err := lstat(fsys, p)
	if err != nil {
		return nil, fmt.Errorf("golden sets at %s: %w", p, err)
	}
	if info.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("golden sets at %s: symbolic links are not followed (name the real path)", p)
	}
	if !info.IsDir() {
		return []string{p}, nil
	}
	entries, err := fs.ReadDir(fsys, p)
	if err != nil {
		return nil, fmt.Errorf("golden sets at %s: %w", p, err)
	}
	var files []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".json") {
			files = append(files, path.Join(p, e.Name()))
		}
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no golden set in %s: it holds no .json file (record one with `remediator record`)", p)
	}
	return files, nil
}

// lstat looks at the entry itself where its directory can be listed, so that links are seen.
func lstat(fsys fs.FS, p string) (fs.FileInfo, error) {
	if p == "." {
		return fs.Stat(fsys, p)
	}
	entries, err := fs.ReadDir(fsys, path.Dir(p))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.Name() == path.Base(p) {
			return e.Info()
		}
	}
	return nil, fs.ErrNotExist
}

func readSetFile(fsys fs.FS, name string) (*Set, error) {
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return ReadSet(f)
}
