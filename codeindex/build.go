package codeindex

import (
	"context"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"runtime"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/remediator/remediator/codeindex/extract"
	"github.com/remediator/remediator/codeindex/facts"
)

// Options bound what Build reads. The zero value is ready.
type Options struct {
	Workers     int           // parallel readers; zero means one per processor
	MaxFileSize int64         // bytes; larger files are left out; zero means 1 MiB
	MaxFiles    int           // source files; more is an error; zero means 500,000
	ParseLimit  time.Duration // time for one file; zero means two seconds
	// Cache is a directory for the facts of the last build of this repository; "" for none.
	Cache string
	// Previous is an index of an earlier state of the same tree, whose unchanged files are taken over.
	Previous *Index

	noStat bool // Find looks at sizes when it reads
}

func (o Options) withDefaults() Options {
	if o.Workers <= 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.MaxFileSize <= 0 {
		o.MaxFileSize = 1 << 20
	}
	if o.MaxFiles <= 0 {
		o.MaxFiles = 500_000
	}
	return o
}

// ErrNoSource means that there is nothing to index.
var ErrNoSource = errors.New("no Go, Python, JavaScript, TypeScript or Java source found: check the path, or that the commit is not empty")

// entry is one indexed file. Its facts are decoded when first asked for.
type entry struct {
	path   string
	size   int64
	mtime  int64  // Unix nanoseconds; 0 when not known
	hash   string // git blob hash, hex
	record []byte // encoded facts
	sites  uint16 // bit set of the kinds of sites

	once sync.Once
	file *facts.File
}

func (e *entry) facts() *facts.File {
	e.once.Do(func() {
		if e.file != nil {
			return
		}
		f, err := facts.Decode(e.record)
		if err != nil { // a cache is verified when it is read, so this file was never there
			f = &facts.File{}
		}
		e.file = f
	})
	return e.file
}

// Build indexes the tree. Files that cannot be parsed are listed in Index.Problems; only a tree
// without any source is an error.
func Build(ctx context.Context, fsys fs.FS, o Options) (*Index, error) {
	o = o.withDefaults()
	files, err := walk(ctx, fsys, o, nil)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, ErrNoSource
	}
	known := newStore(o)
	x, err := index(ctx, fsys, o, files, known)
	if err != nil {
		return nil, err
	}
	if len(x.entries) == 0 {
		return nil, fmt.Errorf("none of %d source files can be read (%s): check permissions and file sizes", len(files), x.problems[0])
	}
	if o.Cache != "" && x.Stats.Parsed > 0 {
		if err := known.save(x); err != nil {
			x.problems = append(x.problems, Problem{Message: err.Error()})
		}
	}
	return x, nil
}

// index extracts the files that are not known yet.
func index(ctx context.Context, fsys fs.FS, o Options, files []found, known *store) (*Index, error) {
	entries := make([]*entry, len(files))
	problems := make([]Problem, len(files))
	var parsed, reused atomic.Int64
	var fresh []int
	for i := range files {
		if e := known.unchanged(&files[i]); e != nil {
			entries[i] = e
			reused.Add(1)
			continue
		}
		fresh = append(fresh, i)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	for range min(o.Workers, len(fresh)) {
		wait.Add(1)
		go func() {
			defer wait.Done()
			r := reader{reads: newReads(fsys, o.MaxFileSize), extractor: extract.Extractor{Limit: o.ParseLimit}}
			for ctx.Err() == nil {
				n := int(next.Add(1)) - 1
				if n >= len(fresh) {
					return
				}
				i := fresh[n]
				e, again, err := r.entry(&files[i], known)
				switch {
				case err != nil:
					problems[i] = Problem{Path: files[i].path, Message: err.Error()}
					continue
				case again:
					reused.Add(1)
				default:
					parsed.Add(1)
				}
				entries[i] = e
			}
		}()
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	x := &Index{byPath: make(map[string]int, len(entries))}
	for i, e := range entries {
		if e != nil {
			x.byPath[e.path] = len(x.entries)
			x.entries = append(x.entries, e)
		} else if problems[i].Path != "" {
			x.problems = append(x.problems, problems[i])
		}
	}
	x.Stats = Stats{Files: len(x.entries), Parsed: int(parsed.Load()), Reused: int(reused.Load())}
	return x, nil
}

// reader reads and extracts one file after the other.
type reader struct {
	reads
	extractor extract.Extractor
}

func (r *reader) entry(f *found, known *store) (e *entry, again bool, err error) {
	src, err := r.read(f.path)
	if err != nil {
		return nil, false, err
	}
	e = &entry{path: f.path, size: f.size, hash: f.hash}
	if !f.mtime.IsZero() {
		e.mtime = f.mtime.UnixNano()
	}
	if e.hash == "" {
		e.hash = blobHash(src)
	}
	if record, ok := known.sameContent(e.hash, f.path); ok {
		e.record, e.sites = record, siteKinds(record)
		return e, true, nil
	}
	file, err := r.extractor.Extract(f.path, src)
	if err != nil {
		return nil, false, err
	}
	tidy(file)
	e.record = file.Encode(nil)
	e.sites = kindsOf(file)
	return e, false, nil
}

// tidy puts the facts into their final order, and keeps of a generated file only what a stack frame
// needs.
func tidy(f *facts.File) {
	sort.SliceStable(f.Sites, func(i, j int) bool { return f.Sites[i].Line < f.Sites[j].Line })
	if f.Generated {
		f.Sites, f.Calls = nil, nil
	}
}

func kindsOf(f *facts.File) uint16 {
	var kinds uint16
	for i := range f.Sites {
		kinds |= 1 << f.Sites[i].Kind
	}
	return kinds
}

// siteKinds reads the kinds of sites out of encoded facts.
func siteKinds(record []byte) uint16 {
	f, err := facts.Decode(record)
	if err != nil {
		return 0
	}
	return kindsOf(f)
}

// blobHash is the hash that git gives to a file with this content.
func blobHash(src []byte) string {
	h := sha1.New()
	h.Write([]byte("blob " + strconv.Itoa(len(src)) + "\x00"))
	h.Write(src)
	return hex.EncodeToString(h.Sum(nil))
}
