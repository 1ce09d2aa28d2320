package sandbox

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func planOf(t *testing.T, spec Spec) []mount {
	t.Helper()
	spec.Command = []string{"true"}
	spec, err := spec.check()
	if err != nil {
		t.Fatal(err)
	}
	mounts, err := plan(spec, "", t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	return mounts
}

func index(t *testing.T, mounts []mount, dest string) int {
	t.Helper()
	i := slices.IndexFunc(mounts, func(m mount) bool { return m.Dest == dest })
	if i < 0 {
		t.Fatalf("%s is not mounted", dest)
	}
	return i
}

func TestPlanMountsInnerDirectoriesLater(t *testing.T) {
	dir := t.TempDir()
	inner := filepath.Join(dir, "a", "cache")
	if err := os.MkdirAll(inner, 0o755); err != nil {
		t.Fatal(err)
	}
	mounts := planOf(t, Spec{Dir: dir, Scratch: []string{inner}, ReadOnly: []string{filepath.Join(dir, "a")}})
	order := []int{index(t, mounts, "/tmp"), index(t, mounts, dir), index(t, mounts, filepath.Join(dir, "a")), index(t, mounts, inner)}
	if !slices.IsSorted(order) {
		t.Errorf("order %v", order)
	}
	if last := mounts[len(mounts)-1]; last.Kind != mountSeal || last.Dest != "/" {
		t.Errorf("the root is sealed last, not %+v", last)
	}
}

func TestPlanSourceIsResolvedButAppearsWhereNamed(t *testing.T) {
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.Mkdir(real, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(real, link); err != nil {
		t.Fatal(err)
	}
	mounts := planOf(t, Spec{Dir: t.TempDir(), ReadOnly: []string{link}})
	if m := mounts[index(t, mounts, link)]; m.Source != real || m.Kind != mountReadOnly {
		t.Errorf("got %+v", m)
	}
}

func TestPlanShowsNoSecretsOfEtc(t *testing.T) {
	for _, m := range planOf(t, Spec{Dir: t.TempDir()}) {
		for _, secret := range []string{"shadow", "gitconfig", "ssl/private", "ssh", "sudoers", "krb5", "netrc", "machine-id"} {
			if strings.HasPrefix(m.Dest, "/etc/") && strings.Contains(m.Dest, secret) {
				t.Errorf("%s is shown", m.Dest)
			}
		}
		if strings.HasPrefix(m.Dest, "/etc/passwd") && m.Source == "/etc/passwd" {
			t.Error("the machine's users are shown")
		}
	}
}

func TestBubblewrapArgsNeverShareANamespace(t *testing.T) {
	args := strings.Join(bubblewrapArgs(planOf(t, Spec{Dir: t.TempDir()})), " ")
	for _, want := range []string{"--unshare-user", "--unshare-all", "--cap-drop ALL", "--die-with-parent", "--new-session", "--ro-bind /proc/sys /proc/sys"} {
		if !strings.Contains(args, want) {
			t.Errorf("%q is missing in %s", want, args)
		}
	}
	if strings.Contains(args, "--share-net") {
		t.Error("the network is shared")
	}
}

func TestTooBroad(t *testing.T) {
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip("NOT TESTED: no home directory")
	}
	for path, bad := range map[string]bool{
		"/": true, "/etc": true, "/proc/1": true, "/run/user/1000": true, "/home": true, home: true, "/var/run/x": true,
		"/opt/go": false, filepath.Join(home, "go/pkg/mod"): false, "/runner/work": false, "/tmp/case": false,
	} {
		if why := tooBroad(path); (why != "") != bad {
			t.Errorf("%s: %q", path, why)
		}
	}
}
