package toolchain

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return noon }

func id(s string) []byte {
	sum := sha256.Sum256([]byte(s))
	return sum[:]
}

func newCache(t *testing.T, warm ...string) goCache {
	t.Helper()
	return goCache{own: t.TempDir(), warm: warm, now: clock}
}

func store(t *testing.T, c goCache, action, content string) string {
	t.Helper()
	path, err := c.put(id(action), id(content), int64(len(content)), strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	// As fresh as the clock says, not as the machine does.
	if err := os.Chtimes(path, noon, noon); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCacheReadsThroughAndWritesToItsOwn(t *testing.T) {
	user := newCache(t)
	store(t, user, "std", "compiled std")
	c := newCache(t, user.own)
	hit, ok := c.get(id("std"))
	if !ok || !strings.HasPrefix(hit.path, user.own) || !bytes.Equal(hit.output, id("compiled std")) || hit.size != 12 || !hit.time.Equal(noon) {
		t.Fatalf("got %+v, %v", hit, ok)
	}
	// What the candidate stores for the same action hides the user's, for this case alone.
	store(t, c, "std", "candidate's")
	if hit, ok := c.get(id("std")); !ok || !strings.HasPrefix(hit.path, c.own) || hit.size != 11 {
		t.Errorf("got %+v, %v", hit, ok)
	}
	if hit, ok := user.get(id("std")); !ok || hit.size != 12 {
		t.Errorf("the user's cache changed: %+v, %v", hit, ok)
	}
}

func TestCacheDamageIsAMiss(t *testing.T) {
	entry := func(c goCache) string { return entryPath(c.own, id("a"), "a") }
	for name, damage := range map[string]func(c goCache, output string) error{
		"output pruned": func(c goCache, output string) error { return os.Remove(output) },
		"output torn":   func(c goCache, output string) error { return os.Truncate(output, 3) },
		"entry torn":    func(c goCache, output string) error { return os.Truncate(entry(c), 100) },
		"entry empty":   func(c goCache, output string) error { return os.Truncate(entry(c), 0) },
		"entry longer":  func(c goCache, output string) error { return os.Truncate(entry(c), entrySize+1) },
		"entry of another id": func(c goCache, output string) error {
			return os.WriteFile(entry(c), formatEntry(id("b"), id("x"), 1, noon), 0o644)
		},
		"output is a directory": func(c goCache, output string) error {
			return os.Rename(output, output+"x")
		},
		"output is a link": func(c goCache, output string) error {
			if err := os.Rename(output, output+"x"); err != nil {
				return err
			}
			return os.Symlink(output+"x", output)
		},
	} {
		t.Run(name, func(t *testing.T) {
			user := newCache(t)
			output := store(t, user, "a", "content")
			if err := damage(user, output); err != nil {
				t.Fatal(err)
			}
			c := newCache(t, user.own)
			if hit, ok := c.get(id("a")); ok {
				t.Fatalf("hit %+v", hit)
			}
			// The go command compiles again and stores the result.
			store(t, c, "a", "content")
			if _, ok := c.get(id("a")); !ok {
				t.Error("not found after it was stored again")
			}
		})
	}
	c := newCache(t, filepath.Join(t.TempDir(), "absent"))
	for _, action := range [][]byte{nil, {1}, id("never stored")} {
		if _, ok := c.get(action); ok {
			t.Errorf("hit for %x", action)
		}
	}
}

func TestCacheCopiesWhatIsAboutToBeTrimmed(t *testing.T) {
	user := newCache(t)
	path := store(t, user, "old", "content")
	last := noon.Add(-trimSoon - time.Hour)
	if err := os.Chtimes(path, last, last); err != nil {
		t.Fatal(err)
	}
	c := newCache(t, user.own)
	hit, ok := c.get(id("old"))
	if !ok || !strings.HasPrefix(hit.path, c.own) {
		t.Fatalf("got %+v, %v", hit, ok)
	}
	if data, err := os.ReadFile(hit.path); err != nil || string(data) != "content" {
		t.Errorf("got %q, %v", data, err)
	}
}

func TestCachePutRefusesWhatDoesNotFit(t *testing.T) {
	c := newCache(t)
	for name, tc := range map[string]struct {
		action, output []byte
		size           int64
	}{
		"short action": {[]byte{1}, id("x"), 1},
		"short output": {id("x"), nil, 1},
		"short body":   {id("x"), id("y"), 5},
		"long body":    {id("x"), id("y"), 0},
	} {
		if _, err := c.put(tc.action, tc.output, tc.size, strings.NewReader("x")); err == nil {
			t.Errorf("%s: stored", name)
		}
		if _, ok := c.get(tc.action); ok {
			t.Errorf("%s: found", name)
		}
	}
	left, err := filepath.Glob(filepath.Join(c.own, "*", "*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left %v", left)
	}
}

// session speaks to serveCache as the go command does.
type session struct {
	t    *testing.T
	in   *io.PipeWriter
	out  *json.Decoder
	done chan error
	id   int64
}

func newSession(t *testing.T, args ...string) *session {
	t.Helper()
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	s := &session{t: t, in: inW, out: json.NewDecoder(outR), done: make(chan error, 1)}
	go func() {
		err := serveCache(args, inR, outW, clock)
		outW.CloseWithError(io.EOF)
		inR.CloseWithError(io.ErrClosedPipe)
		s.done <- err
	}()
	hello := s.read()
	if hello.ID != 0 || strings.Join(hello.KnownCommands, " ") != "get put close" {
		t.Fatalf("hello is %+v", hello)
	}
	return s
}

func (s *session) read() cacheResponse {
	s.t.Helper()
	var r cacheResponse
	if err := s.out.Decode(&r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *session) ask(command string, action, output, body []byte) cacheResponse {
	s.t.Helper()
	s.id++
	line, err := json.Marshal(map[string]any{"ID": s.id, "Command": command, "ActionID": action, "OutputID": output, "BodySize": len(body)})
	if err != nil {
		s.t.Fatal(err)
	}
	line = append(line, '\n')
	if len(body) > 0 {
		line = fmt.Appendf(line, "%q\n", base64.StdEncoding.EncodeToString(body))
	}
	if _, err := s.in.Write(line); err != nil {
		s.t.Fatal(err)
	}
	r := s.read()
	if r.ID != s.id {
		s.t.Fatalf("answer to %d, not to %d", r.ID, s.id)
	}
	return r
}

func TestCacheProtocol(t *testing.T) {
	s := newSession(t, "--rw", filepath.Join(t.TempDir(), "new"))
	if r := s.ask("get", id("a"), nil, nil); !r.Miss {
		t.Errorf("got %+v", r)
	}
	for _, size := range []int{0, 1, 2, 3, 70_000, 1 << 20} {
		body := bytes.Repeat([]byte("x"), size)
		action, output := id(fmt.Sprint("a", size)), id(fmt.Sprint("o", size))
		put := s.ask("put", action, output, body)
		if put.Err != "" {
			t.Fatalf("%d bytes: %s", size, put.Err)
		}
		get := s.ask("get", action, nil, nil)
		if get.Miss || get.DiskPath != put.DiskPath || get.Size != int64(size) || !bytes.Equal(get.OutputID, output) || get.Time == nil {
			t.Errorf("%d bytes: %+v", size, get)
		}
		if data, err := os.ReadFile(get.DiskPath); err != nil || !bytes.Equal(data, body) {
			t.Errorf("%d bytes: read %d, %v", size, len(data), err)
		}
	}
	// An error about one body must not make the stream unreadable.
	if r := s.ask("put", []byte{1}, id("o"), []byte("body that is refused")); r.Err == "" {
		t.Errorf("got %+v", r)
	}
	if r := s.ask("rename", nil, nil, nil); !strings.Contains(r.Err, "rename") {
		t.Errorf("got %+v", r)
	}
	if r := s.ask("close", nil, nil, nil); r.Err != "" {
		t.Errorf("got %+v", r)
	}
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestCacheEndsWithTheGoCommand(t *testing.T) {
	s := newSession(t, "--rw", t.TempDir())
	s.in.Close()
	if err := <-s.done; err != nil {
		t.Error(err)
	}
}

func TestCacheArguments(t *testing.T) {
	for _, args := range [][]string{{}, {"--ro", "/x"}, {"--rw"}, {"--delete", "x"}} {
		if err := serveCache(args, strings.NewReader(""), io.Discard, clock); err == nil {
			t.Errorf("%q: accepted", args)
		}
	}
}

func TestCacheCommandIsSplitAsGoDoes(t *testing.T) {
	for self, want := range map[string]string{
		"/bin/tool":    "/bin/tool " + argCache + " --rw /rw --ro /a --ro /b",
		"/my bin/tool": "'/my bin/tool' " + argCache + " --rw /rw --ro /a --ro /b",
		"/it's/tool":   `"/it's/tool" ` + argCache + " --rw /rw --ro /a --ro /b",
	} {
		if got := cacheCommand(self, "/rw", []string{"/a", "/b"}); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestEntryRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		action := rapid.SliceOfN(rapid.Byte(), idSize, idSize).Draw(t, "action")
		output := rapid.SliceOfN(rapid.Byte(), idSize, idSize).Draw(t, "output")
		size := rapid.Int64Min(0).Draw(t, "size")
		at := time.Unix(0, rapid.Int64Min(0).Draw(t, "time"))
		data := formatEntry(action, output, size, at)
		if len(data) != entrySize {
			t.Fatalf("%d bytes", len(data))
		}
		hit, err := parseEntry(data, action)
		if err != nil || !bytes.Equal(hit.output, output) || hit.size != size || !hit.time.Equal(at) {
			t.Fatalf("got %+v, %v", hit, err)
		}
	})
}

// The user's cache was written by the go command, so its entries have to be read as they are.
func TestEntryOfTheGoCommand(t *testing.T) {
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Skip("NOT TESTED: no cache directory")
	}
	found, err := filepath.Glob(filepath.Join(cache, "go-build", "0[0-3]", "*-a"))
	if err != nil || len(found) == 0 {
		t.Skip("NOT TESTED: the go command has no cache here")
	}
	c := goCache{own: t.TempDir(), warm: []string{filepath.Join(cache, "go-build")}, now: clock}
	hits := 0
	for _, path := range found {
		var action []byte
		if _, err := fmt.Sscanf(filepath.Base(path), "%64x-a", &action); err != nil {
			t.Fatal(err)
		}
		if _, ok := c.get(action); ok {
			hits++
		}
	}
	if hits < len(found)/2 {
		t.Errorf("%d of %d entries are readable", hits, len(found))
	}
}

func FuzzParseEntry(f *testing.F) {
	f.Add(formatEntry(id("a"), id("b"), 12, noon))
	f.Add([]byte("v1 "))
	f.Fuzz(func(t *testing.T, data []byte) {
		hit, err := parseEntry(data, id("a"))
		if err == nil && (hit.size < 0 || len(hit.output) != idSize) {
			t.Fatalf("accepted %+v", hit)
		}
	})
}

func FuzzServeCache(f *testing.F) {
	body := base64.StdEncoding.EncodeToString([]byte("body"))
	action, _ := json.Marshal(id("a"))
	f.Add([]byte(fmt.Sprintf("{\"ID\":1,\"Command\":\"put\",\"ActionID\":%s,\"OutputID\":%[1]s,\"BodySize\":4}\n%q\n{\"ID\":2,\"Command\":\"close\"}\n", action, body)))
	f.Add([]byte("{\"ID\":1,\"Command\":\"put\",\"BodySize\":4}\n\"unterminated"))
	f.Add([]byte("\n\n{}\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		dir := t.TempDir()
		out := new(bytes.Buffer)
		_ = serveCache([]string{"--rw", filepath.Join(dir, "rw")}, bytes.NewReader(data), out, clock)
		scan := bufio.NewScanner(out)
		for scan.Scan() {
			var r cacheResponse
			if err := json.Unmarshal(scan.Bytes(), &r); err != nil {
				t.Fatalf("answer %q: %v", scan.Text(), err)
			}
			if r.DiskPath != "" && !strings.HasPrefix(r.DiskPath, filepath.Join(dir, "rw")+"/") {
				t.Fatalf("stored at %s", r.DiskPath)
			}
		}
	})
}
