package dockettest

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/remedy/docket"
)

// storeTests are the contract of a store, by what they say.
var storeTests = map[string]func(*testing.T, Backend){
	"what is put is what is got": func(t *testing.T, b Backend) {
		r := newRecord("aa", dawn())
		r.History = []docket.Event{{At: dawn(), Kind: "alert", Text: "zwölf \x00 <b>Zeichen</b>"}}
		r.Effects = []docket.Effect{{Key: "branch", At: dawn(), Done: true, Ref: "x"}}
		check(t, b.Store.Put(t.Context(), r))
		if r.Revision == 0 {
			t.Fatal("Put left the revision at 0")
		}
		got, err := b.Store.Get(t.Context(), "aa")
		check(t, err)
		if !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, want %+v", got, r)
		}
		got.Stage = docket.Running
		again, err := b.Store.Get(t.Context(), "aa")
		check(t, err)
		if again.Stage != docket.Queued {
			t.Fatal("a record that was read shares its memory with the store")
		}
	},
	"a large record": func(t *testing.T, b Backend) {
		r := newRecord("aa", dawn())
		for i := range 5000 {
			r.History = append(r.History, docket.Event{At: dawn(), Kind: "effect", Text: strings.Repeat(fmt.Sprintf("entry %d ", i), 20)})
		}
		check(t, b.Store.Put(t.Context(), r))
		got, err := b.Store.Get(t.Context(), "aa")
		check(t, err)
		if !reflect.DeepEqual(got, r) {
			t.Fatal("a large record came back changed")
		}
	},
	"nothing there": func(t *testing.T, b Backend) {
		_, err := b.Store.Get(t.Context(), "aa")
		wantError(t, err, docket.ErrNotFound)
		wantError(t, b.Store.Delete(t.Context(), "aa"), docket.ErrNotFound)
		all, err := b.Store.List(t.Context())
		check(t, err)
		if len(all) != 0 {
			t.Fatalf("an empty store lists %d records", len(all))
		}
	},
	"compare and set": func(t *testing.T, b Backend) {
		r := newRecord("aa", dawn())
		check(t, b.Store.Put(t.Context(), r))
		wantError(t, b.Store.Put(t.Context(), newRecord("aa", dawn())), docket.ErrConflict)
		stale := *r
		r.Attempt = 1
		check(t, b.Store.Put(t.Context(), r))
		stale.Attempt = 7
		before := stale.Revision
		wantError(t, b.Store.Put(t.Context(), &stale), docket.ErrConflict)
		if stale.Revision != before {
			t.Fatal("a refused Put changed the revision, so that a second one would get through")
		}
		got, err := b.Store.Get(t.Context(), "aa")
		check(t, err)
		if got.Attempt != 1 {
			t.Fatalf("attempt %d, want 1", got.Attempt)
		}
	},
	"a deleted record can be made anew, but not from before": func(t *testing.T, b Backend) {
		r := newRecord("aa", dawn())
		check(t, b.Store.Put(t.Context(), r))
		check(t, b.Store.Delete(t.Context(), "aa"))
		_, err := b.Store.Get(t.Context(), "aa")
		wantError(t, err, docket.ErrNotFound)
		wantError(t, b.Store.Put(t.Context(), r), docket.ErrConflict)
		anew := newRecord("aa", dawn())
		check(t, b.Store.Put(t.Context(), anew))
		if anew.Revision == r.Revision {
			t.Fatal("a revision was used twice, so that a stale record could overwrite the new one")
		}
		wantError(t, b.Store.Put(t.Context(), r), docket.ErrConflict)
	},
	"the newest alert comes first": func(t *testing.T, b Backend) {
		for i, fp := range []string{"bb", "dd", "aa", "cc"} {
			check(t, b.Store.Put(t.Context(), newRecord(fp, dawn().Add(time.Duration(i/2)*time.Hour))))
		}
		all, err := b.Store.List(t.Context())
		check(t, err)
		var got []string
		for _, r := range all {
			got = append(got, r.Fingerprint)
			if r.Revision == 0 {
				t.Errorf("record %s is listed without its revision", r.Fingerprint)
			}
		}
		if want := []string{"aa", "cc", "bb", "dd"}; !slices.Equal(got, want) {
			t.Fatalf("got %v, want %v", got, want)
		}
	},
	"a damaged record stops nothing": func(t *testing.T, b Backend) {
		check(t, b.Store.Put(t.Context(), newRecord("aa", dawn())))
		check(t, b.Store.Put(t.Context(), newRecord("bb", dawn())))
		for _, junk := range []string{"{", "", "\x28\xb5\x2f\xfdjunk", `{"schema":"remediator.record/v9"}`, `{"schema":"` + docket.RecordSchema + `","fingerprint":"bb","stage":"queued"}`} {
			b.Damage(t, "aa", []byte(junk))
			all, err := b.Store.List(t.Context())
			check(t, err)
			if len(all) != 2 {
				t.Fatalf("%q: %d records are listed, want both", junk, len(all))
			}
			_, err = b.Store.Get(t.Context(), "aa")
			wantError(t, err, docket.ErrDamaged)
		}
		check(t, b.Store.Delete(t.Context(), "aa"))
		check(t, b.Store.Put(t.Context(), newRecord("aa", dawn())))
	},
	"of many writers at once one wins each time": func(t *testing.T, b Backend) {
		const writers, each = 6, 10
		check(t, b.Store.Put(t.Context(), newRecord("aa", dawn())))
		var wg sync.WaitGroup
		for range writers {
			wg.Go(func() {
				for done := 0; done < each; {
					r, err := b.Store.Get(t.Context(), "aa")
					if err != nil {
						t.Error(err)
						return
					}
					r.Alerts++
					if err := b.Store.Put(t.Context(), r); err == nil {
						done++
					}
				}
			})
		}
		wg.Wait()
		r, err := b.Store.Get(t.Context(), "aa")
		check(t, err)
		if r.Alerts != writers*each {
			t.Fatalf("%d updates of %d are left", r.Alerts, writers*each)
		}
	},
	"watch": func(t *testing.T, b Backend) {
		check(t, b.Store.Put(t.Context(), newRecord("old", dawn())))
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		changes, err := b.Store.Watch(ctx)
		check(t, err)
		next := func() *docket.Record { t.Helper(); return receive(t, changes, "a change") }
		r := newRecord("aa", dawn())
		check(t, b.Store.Put(t.Context(), r))
		if got := next(); !reflect.DeepEqual(got, r) {
			t.Fatalf("got %+v, want %+v, which was written after Watch", got, r)
		}
		r.Stage = docket.Running
		check(t, b.Store.Put(t.Context(), r))
		if got := next(); got.Stage != docket.Running || got.Revision != r.Revision {
			t.Fatalf("got %+v, want %+v", got, r)
		}
		check(t, b.Store.Delete(t.Context(), "aa"))
		if got := next(); got.Fingerprint != "aa" || got.Stage != "" {
			t.Fatalf("got %+v, want a deleted record", got)
		}
		cancel()
		until(t, "the channel's end", func() bool {
			select {
			case _, ok := <-changes:
				return !ok
			default:
				return false
			}
		})
	},
	"state machine": func(t *testing.T, b Backend) { casMachine(t, storeAsCells(t, b.Store)) },
}

var claimTests = map[string]func(*testing.T, Backend){
	"a claim": func(t *testing.T, b Backend) {
		value, rev, err := b.Claims.Claim(t.Context(), "cause/ä b.*>")
		check(t, err)
		if value != nil || rev != 0 {
			t.Fatalf("a claim nobody made is %q at %d", value, rev)
		}
		check(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", []byte("me"), 0))
		wantError(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", []byte("you"), 0), docket.ErrConflict)
		value, rev, err = b.Claims.Claim(t.Context(), "cause/ä b.*>")
		check(t, err)
		if string(value) != "me" || rev == 0 {
			t.Fatalf("the claim is %q at %d", value, rev)
		}
		check(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", []byte("me too"), rev))
		wantError(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", nil, rev), docket.ErrConflict)
		_, rev, err = b.Claims.Claim(t.Context(), "cause/ä b.*>")
		check(t, err)
		check(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", nil, rev))
		value, rev, err = b.Claims.Claim(t.Context(), "cause/ä b.*>")
		check(t, err)
		if value != nil || rev != 0 {
			t.Fatalf("a deleted claim is %q at %d", value, rev)
		}
		check(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", nil, 0))
		check(t, b.Claims.SetClaim(t.Context(), "cause/ä b.*>", []byte("again"), 0))
	},
	"keys by prefix": func(t *testing.T, b Backend) {
		for _, k := range []string{"a/2", "a/1", "a", "b/1", "a:1", "A/1", "a=2f1"} {
			check(t, b.Claims.SetClaim(t.Context(), k, []byte(k), 0))
		}
		check(t, b.Claims.SetClaim(t.Context(), "a/gone", []byte("x"), 0))
		_, rev, err := b.Claims.Claim(t.Context(), "a/gone")
		check(t, err)
		check(t, b.Claims.SetClaim(t.Context(), "a/gone", nil, rev))
		keys, err := b.Claims.ClaimKeys(t.Context(), "a/")
		check(t, err)
		if want := []string{"a/1", "a/2"}; !slices.Equal(keys, want) {
			t.Fatalf("got %q, want %q", keys, want)
		}
		keys, err = b.Claims.ClaimKeys(t.Context(), "")
		check(t, err)
		if len(keys) != 7 {
			t.Fatalf("got %q, want all 7", keys)
		}
	},
	"one of many gets it": func(t *testing.T, b Backend) {
		var wg sync.WaitGroup
		var won tally
		for i := range 8 {
			wg.Go(func() {
				if b.Claims.SetClaim(t.Context(), "cause", []byte{byte(i)}, 0) == nil {
					won.add("won")
				}
			})
		}
		wg.Wait()
		if won.of("won") != 1 {
			t.Fatalf("%d got the claim, want 1", won.of("won"))
		}
	},
	"state machine": func(t *testing.T, b Backend) { casMachine(t, claimsAsCells(t, b.Claims)) },
}

// cells are what Store and Claims have in common: values under keys with compare-and-set.
type cells struct {
	get  func(key string) (value int, revision uint64, there bool)
	set  func(key string, value int, revision uint64) error
	del  func(key string, revision uint64) error
	keys func() []string
	// casDelete says that del compares.
	casDelete bool
}

func storeAsCells(t *testing.T, s docket.Store) cells {
	return cells{
		get: func(key string) (int, uint64, bool) {
			r, err := s.Get(t.Context(), key)
			if err != nil {
				wantError(t, err, docket.ErrNotFound)
				return 0, 0, false
			}
			return r.Alerts, r.Revision, true
		},
		set: func(key string, value int, revision uint64) error {
			r := newRecord(key, dawn())
			r.Alerts, r.Revision = value, revision
			return s.Put(t.Context(), r)
		},
		del: func(key string, _ uint64) error { return s.Delete(t.Context(), key) },
		keys: func() []string {
			all, err := s.List(t.Context())
			check(t, err)
			var out []string
			for _, r := range all {
				out = append(out, r.Fingerprint)
			}
			slices.Sort(out)
			return out
		},
	}
}

func claimsAsCells(t *testing.T, c docket.Claims) cells {
	return cells{
		get: func(key string) (int, uint64, bool) {
			v, rev, err := c.Claim(t.Context(), key)
			check(t, err)
			if v == nil {
				return 0, rev, false
			}
			return int(v[0]), rev, true
		},
		set: func(key string, value int, revision uint64) error {
			return c.SetClaim(t.Context(), key, []byte{byte(value)}, revision)
		},
		del: func(key string, revision uint64) error { return c.SetClaim(t.Context(), key, nil, revision) },
		keys: func() []string {
			out, err := c.ClaimKeys(t.Context(), "")
			check(t, err)
			slices.Sort(out)
			return out
		},
		casDelete: true,
	}
}

// casMachine compares an implementation with a map, over random sequences of reads, writes and
// deletes with current, stale and invented revisions.
func casMachine(t *testing.T, c cells) {
	type cell struct {
		value    int
		revision uint64
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		model := map[string]cell{}
		past := map[string][]uint64{} // every revision that was ever current
		used := map[uint64]bool{}
		keyOf := func(rt *rapid.T) string {
			return fmt.Sprintf("run%d-%d", run, rapid.IntRange(0, 2).Draw(rt, "key"))
		}
		revision := func(rt *rapid.T, key string) uint64 {
			choices := append([]uint64{0, model[key].revision, model[key].revision}, past[key]...)
			return rapid.SampledFrom(choices).Draw(rt, "revision")
		}
		rt.Repeat(map[string]func(*rapid.T){
			"set": func(rt *rapid.T) {
				key := keyOf(rt)
				rev, value := revision(rt, key), rapid.IntRange(1, 200).Draw(rt, "value")
				err := c.set(key, value, rev)
				if rev != model[key].revision {
					wantErrorRapid(rt, err, docket.ErrConflict)
					return
				}
				if err != nil {
					rt.Fatal(err)
				}
				got, now, there := c.get(key)
				if !there || got != value || now == 0 || used[now] {
					rt.Fatalf("after a write of %d there is %d at revision %d (there: %v, revision used before: %v)", value, got, now, there, used[now])
				}
				used[now] = true
				past[key] = append(past[key], now)
				model[key] = cell{value, now}
			},
			"delete": func(rt *rapid.T) {
				key := keyOf(rt)
				m, there := model[key]
				if c.casDelete {
					rev := revision(rt, key)
					err := c.del(key, rev)
					if rev != m.revision {
						wantErrorRapid(rt, err, docket.ErrConflict)
						return
					}
					if err != nil {
						rt.Fatal(err)
					}
				} else if err := c.del(key, 0); !there {
					wantErrorRapid(rt, err, docket.ErrNotFound)
				} else if err != nil {
					rt.Fatal(err)
				}
				delete(model, key)
			},
			"": func(rt *rapid.T) {
				key := keyOf(rt)
				got, rev, there := c.get(key)
				if m, want := model[key]; there != want || got != m.value || rev != m.revision {
					rt.Fatalf("%s is %d at %d (there: %v), want %+v (there: %v)", key, got, rev, there, m, want)
				}
			},
		})
		var got []string
		for _, k := range c.keys() {
			if strings.HasPrefix(k, fmt.Sprintf("run%d-", run)) {
				got = append(got, k)
			}
		}
		if want := slices.Sorted(maps.Keys(model)); !slices.Equal(got, want) {
			rt.Fatalf("listed are %q, want %q", got, want)
		}
	})
}

func wantErrorRapid(rt *rapid.T, err, want error) {
	rt.Helper()
	if err == nil || !strings.Contains(err.Error(), want.Error()) {
		rt.Fatalf("got error %v, want %v", err, want)
	}
}
