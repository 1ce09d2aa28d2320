package replay

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
)

// repository writes files and links (targets marked by "->") into a new directory and returns its view.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range sortedKeys(files) {
		at := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			t.Fatal(err)
		}
		var err error
		if target, link := strings.CutPrefix(files[name], "->"); link {
			err = os.Symlink(target, at)
		} else {
			err = os.WriteFile(at, []byte(files[name]), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestNoLinkIsFollowedToASet(t *testing.T) {
	secret := repository(t, map[string]string{"set.json": string(written(t, smallSet())), "deep/set.json": string(written(t, smallSet()))})
	root := repository(t, map[string]string{
		"real/set.json": string(written(t, smallSet())),
		"file.json":     "->" + filepath.Join(secret, "set.json"),
		"dir":           "->" + secret,
		"a/b/inner":     "->" + secret,
		"mixed/x.json":  "->" + filepath.Join(secret, "set.json"),
	})
	for path, want := range map[string]string{
		"file.json":              "symbolic links are not followed",
		"dir":                    "symbolic links are not followed",
		"dir/set.json":           "dir is a symbolic link",
		"dir/deep":               "dir is a symbolic link",
		"dir/deep/set.json":      "dir is a symbolic link",
		"a/b/inner/set.json":     "a/b/inner is a symbolic link",
		"a/b/inner/deep":         "a/b/inner is a symbolic link",
		"./dir/./deep":           "dir is a symbolic link",
		"a/b/../b/inner/deep":    "a/b/inner is a symbolic link",
		"mixed":                  "no golden set in mixed",
		"..":                     "leads out of the repository",
		"real/../../x":           "leads out of the repository",
		"/etc/passwd":            "leads out of the repository",
		"real/set.json/set.json": "golden sets at real/set.json/set.json",
	} {
		sets, err := LoadSets(os.DirFS(root), path)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %d sets, error %v, want %q", path, len(sets), err, want)
		}
	}
	sets, err := LoadSets(os.DirFS(root), "real")
	if err != nil || len(sets) != 1 {
		t.Errorf("the real one: %v", err)
	}
}

// A set on disk is indented; what the wire carries is not, and the two have to match.
func TestBodiesOfFilesMatchThoseOfTheWire(t *testing.T) {
	set := smallSet()
	answer := func(n string) Downstream {
		return Downstream{Peer: "ledger", Request: Request{Method: "POST", Path: "/find", Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"sku":"` + n + `","page":1}`)},
			Response: Response{Status: 200, Headers: map[string]string{"content-type": "application/json"}, Body: json.RawMessage(`{"found":"` + n + `","more":false}`)}}
	}
	set.Cases[0].Downstream = []Downstream{answer("a"), answer("b"), answer("c")}
	data := written(t, set)
	if !bytes.Contains(data, []byte("\"sku\": \"b\"")) {
		t.Fatalf("the file is not indented, so this test shows nothing:\n%s", data)
	}
	back, err := ReadSet(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	l := newLibrary([]*Set{back})
	for _, want := range []string{"c", "a", "b"} {
		x := &tapped{method: "POST", path: "/find", header: map[string][]string{"Content-Type": {"application/json"}}, body: []byte(`{"page": 1, "sku": "` + want + `"}`)}
		d := l.find("ledger", x)
		if d == nil || string(d.Response.Body) != `{"found":"`+want+`","more":false}` {
			t.Errorf("asked for %s the library finds %s", want, d.Response.Body)
		}
	}
	m, err := newMessage(back.Cases[0].Request)
	if err != nil || !bytes.HasSuffix(m.bytes, []byte("\r\n\r\n"+`{"a":"<b>","z":1}`)) {
		t.Errorf("%v: sent as %q", err, m.bytes)
	}
}

func TestReadingStopsAtItsBound(t *testing.T) {
	blank := io.LimitReader(endless(' '), maxSetBytes+10)
	if _, err := ReadSet(blank); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("%v", err)
	}
	if _, err := ReadSet(iotest.ErrReader(errors.New("disk on fire"))); err == nil || !strings.Contains(err.Error(), "reading the golden set: disk on fire") {
		t.Errorf("%v", err)
	}
}

type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}

func TestWritingRefusesWhatReadingWould(t *testing.T) {
	tests := []struct {
		name string
		edit func(s *Set)
		want string
	}{
		{"a body that is no JSON", func(s *Set) { s.Cases[0].Response.Body = json.RawMessage(`{`) }, "golden set small"},
		{"a body with a repeated key", func(s *Set) { s.Cases[1].Response.Body = json.RawMessage(`{"a":1,"a":2}`) }, `/cases/1: body: the document: key "a" occurs twice`},
		{"no cases", func(s *Set) { s.Cases = nil }, "/cases: empty"},
		{"no name", func(s *Set) { s.ID = "" }, "/id: empty"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := smallSet()
			tt.edit(s)
			var b bytes.Buffer
			if err := WriteSet(&b, s); err == nil || !strings.Contains(err.Error(), tt.want) || b.Len() != 0 {
				t.Errorf("%v, %d bytes written", err, b.Len())
			}
		})
	}
	s := smallSet()
	s.Schema, s.Integrity = "", "sha256:old"
	if _, err := ReadSet(bytes.NewReader(written(t, s))); err != nil {
		t.Errorf("writing seals the set anew, but: %v", err)
	}
	if s.Schema != "" || s.Integrity != "sha256:old" {
		t.Error("writing changed its argument")
	}
}
