package gitrepo

import (
	"context"
	"fmt"
	"strings"
	"testing"
)

func tagsOf(t *testing.T, r *Repo, in TagRange) (string, []string) {
	t.Helper()
	tags, err := r.Tags(context.Background(), in)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, d := range tags.Deploys {
		out = append(out, fmt.Sprintf("%s:%s@%d", d.Service, d.Version, (d.Time.Unix()-1_700_000_000)/60))
	}
	return strings.Join(out, " "), tags.Notes
}

func TestTagsAreRollOuts(t *testing.T) {
	f := newFixture(t)
	f.write("f", "0")
	first := f.commit("first") // 1
	f.git("tag", "v1.0.0")     // lightweight: dated by its commit
	f.now += 60 * 9
	f.git("tag", "-a", "-m", "x", "cart/v1.1.0")     // 10
	f.git("tag", "-a", "-m", "x", "cart/v1.1.1")     // the same second, the later version
	f.git("tag", "-a", "-m", "x", "cart/v1.1.10")    // by number, not by letter
	f.git("tag", "-a", "-m", "x", "v2.0.0-rc.1")     // not for release
	f.git("tag", "-a", "-m", "x", "nightly", "HEAD") // no version
	f.git("tag", "-a", "-m", "x", "tree", "HEAD^{tree}")
	f.now += 60
	f.git("tag", "-a", "-m", "x", "outer@3.0.0", "cart/v1.1.0") // 11, a tag of a tag
	r := open(t, f.dir)
	got, notes := tagsOf(t, r, TagRange{Services: []string{"cart", "pay"}})
	if want := "cart:1.0.0@1 pay:1.0.0@1 cart:1.1.0@10 cart:1.1.1@10 cart:1.1.10@10 outer:3.0.0@11"; got != want {
		t.Errorf("roll-outs are\n%q, want\n%q", got, want)
	}
	if len(notes) != 1 || !strings.Contains(notes[0], "1 tags of versions that are not for release") {
		t.Errorf("notes are %q", notes)
	}
	for name, c := range map[string]struct {
		in   TagRange
		want string
	}{
		"no services":  {TagRange{Until: minute(1)}, ":1.0.0@1"},
		"since":        {TagRange{Since: minute(11)}, "outer:3.0.0@11"},
		"the newest":   {TagRange{Max: 2}, "cart:1.1.10@10 outer:3.0.0@11"},
		"by a pattern": {TagRange{Match: []string{"night*", "v2*"}}, ":nightly@10 :2.0.0-rc.1@10"},
		"no match":     {TagRange{Match: []string{"x*"}}, ""},
	} {
		if got, _ := tagsOf(t, r, c.in); got != c.want {
			t.Errorf("%s: roll-outs are %q, want %q", name, got, c.want)
		}
	}
	tags, err := r.Tags(context.Background(), TagRange{})
	if err != nil || len(tags.Deploys) == 0 {
		t.Fatal(tags, err)
	}
	for _, d := range tags.Deploys {
		if d.SHA != first {
			t.Errorf("%+v does not name the commit %s", d, first)
		}
	}
	if _, err := r.Tags(context.Background(), TagRange{Match: []string{"["}}); err == nil || !strings.Contains(err.Error(), `"["`) {
		t.Errorf("error is %v", err)
	}
}

func TestTagsTellServiceAndVersion(t *testing.T) {
	services := []string{"cart", "Pay", "order-service"}
	for name, want := range map[string]string{
		"v1.2.3": ":1.2.3", "1.2": ":1.2", "v5": ":5", "1.2.3.Final": ":1.2.3.Final",
		"cart/v1.2.3": "cart:1.2.3", "cart@1.2.3": "cart:1.2.3", "cart-v1.2.3": "cart:1.2.3", "cart-1.2.3": "cart:1.2.3", "cart_v1.2": "cart:1.2",
		"@acme/cart@1.2.3": "cart:1.2.3", "services/cart/v1.2.3": "cart:1.2.3", "pay/v1.0.0": "Pay:1.0.0", "order-service-2.1.0": "order-service:2.1.0",
		"cart2-v1.0.0": "cart2:1.0.0", "lib/x/v0.1.0": "lib/x:0.1.0", "release-1.4.0": ":1.4.0", "release/1.4.0": ":1.4.0", "release/cart/1.4.0": "cart:1.4.0",
		"prod-2024-05-01": ":2024-05-01", "deploy-20240501.2": ":20240501.2", "cart-2024.05.01": "cart:2024.05.01",
		"v1.2.3-rc.1": ":1.2.3-rc.1", "v1.2.3+build.5": ":1.2.3+build.5", "v99999999999999999999999.1": "-", "main": "-", "5": "-", "cart-5": "-", "v": "-", "": "-", "a1.2.3": "-",
	} {
		v, ok := splitTag(name, services)
		got := v.service + ":" + v.text
		if !ok {
			got = "-"
		}
		if got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}

func FuzzSplitTag(f *testing.F) {
	for _, s := range []string{"v1.2.3", "@a/b@1.0.0-rc.1+x", "release/cart/2024-05-01.2", "////v1.1", "v1.0.0-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, name string) {
		v, ok := splitTag(name, []string{"cart"})
		if ok && (v.text == "" || len(v.numbers) == 0 || !strings.HasSuffix(name, v.text) || strings.HasPrefix(v.service, "/")) {
			t.Errorf("%q is %+v", name, v)
		}
	})
}
