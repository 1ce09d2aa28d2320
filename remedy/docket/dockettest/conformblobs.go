package dockettest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/remediator/remediator/remedy/docket"
)

var blobTests = map[string]func(*testing.T, Backend){
	"what is put is what is got": func(t *testing.T, b Backend) {
		for _, size := range []int{0, 1, 1000, 256 << 10, 256<<10 + 1, 3 << 20} {
			name := fmt.Sprintf("cases/aa/size %d", size)
			want := noise(size)
			// A reader that gives little at a time, as a network does.
			check(t, b.Blobs.PutBlob(t.Context(), name, iotest.HalfReader(bytes.NewReader(want))))
			if got := readBlob(t, b.Blobs, name); !bytes.Equal(got, want) {
				t.Fatalf("%d bytes came back as %d others", len(want), len(got))
			}
		}
	},
	"nothing there": func(t *testing.T, b Backend) {
		_, err := b.Blobs.Blob(t.Context(), "x")
		wantError(t, err, docket.ErrNotFound)
		wantError(t, b.Blobs.DeleteBlob(t.Context(), "x"), docket.ErrNotFound)
		names, err := b.Blobs.BlobNames(t.Context(), "")
		check(t, err)
		if len(names) != 0 {
			t.Fatalf("an empty store has %q", names)
		}
	},
	"the last one put is there": func(t *testing.T, b Backend) {
		for i := range 5 {
			want := noise(300<<10 + i)
			check(t, b.Blobs.PutBlob(t.Context(), "a", bytes.NewReader(want)))
			if !bytes.Equal(readBlob(t, b.Blobs, "a"), want) {
				t.Fatal("an older file is there")
			}
		}
		names, err := b.Blobs.BlobNames(t.Context(), "")
		check(t, err)
		if !slices.Equal(names, []string{"a"}) {
			t.Fatalf("names are %q", names)
		}
	},
	"half a file is none": func(t *testing.T, b Backend) {
		broken := errors.New("the sender went away")
		half := func() io.Reader { return io.MultiReader(bytes.NewReader(noise(600<<10)), iotest.ErrReader(broken)) }
		wantError(t, b.Blobs.PutBlob(t.Context(), "a", half()), broken)
		_, err := b.Blobs.Blob(t.Context(), "a")
		wantError(t, err, docket.ErrNotFound)
		want := noise(10)
		check(t, b.Blobs.PutBlob(t.Context(), "a", bytes.NewReader(want)))
		wantError(t, b.Blobs.PutBlob(t.Context(), "a", half()), broken)
		if !bytes.Equal(readBlob(t, b.Blobs, "a"), want) {
			t.Fatal("a failed write changed the file")
		}
	},
	"a context that ended writes nothing": func(t *testing.T, b Backend) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		wantError(t, b.Blobs.PutBlob(ctx, "a", strings.NewReader("x")), context.Canceled)
		_, err := b.Blobs.Blob(t.Context(), "a")
		wantError(t, err, docket.ErrNotFound)
	},
	"deleted is gone": func(t *testing.T, b Backend) {
		check(t, b.Blobs.PutBlob(t.Context(), "a", strings.NewReader("x")))
		check(t, b.Blobs.DeleteBlob(t.Context(), "a"))
		_, err := b.Blobs.Blob(t.Context(), "a")
		wantError(t, err, docket.ErrNotFound)
		wantError(t, b.Blobs.DeleteBlob(t.Context(), "a"), docket.ErrNotFound)
		check(t, b.Blobs.PutBlob(t.Context(), "a", strings.NewReader("y")))
		if got := readBlob(t, b.Blobs, "a"); string(got) != "y" {
			t.Fatalf("got %q", got)
		}
	},
	"names by prefix, whatever their characters": func(t *testing.T, b Backend) {
		all := []string{"aa/case.json", "aa/diff.patch", "aab", "bb/ä ö.*>/x", "bb/../x"}
		for _, name := range all {
			check(t, b.Blobs.PutBlob(t.Context(), name, strings.NewReader(name)))
		}
		for prefix, want := range map[string][]string{"aa/": all[:2], "aa": all[:3], "bb/ä": all[3:4], "c": nil} {
			got, err := b.Blobs.BlobNames(t.Context(), prefix)
			check(t, err)
			if !slices.Equal(got, want) {
				t.Errorf("%q has %q, want %q", prefix, got, want)
			}
		}
		for _, name := range all {
			if got := readBlob(t, b.Blobs, name); string(got) != name {
				t.Errorf("%q holds %q", name, got)
			}
		}
	},
}

func readBlob(t *testing.T, b docket.Blobs, name string) []byte {
	t.Helper()
	r, err := b.Blob(t.Context(), name)
	check(t, err)
	defer r.Close()
	data, err := io.ReadAll(r)
	check(t, err)
	return data
}

// noise is bytes that do not compress, the same each time.
func noise(n int) []byte {
	out := make([]byte, n)
	rnd := rand.NewChaCha8([32]byte{byte(n)})
	_, _ = rnd.Read(out) // never fails
	return out
}
