package remediator

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/remediator/remediator"

// order lists the steps from the bottom up. A package may import those before it.
var order = []string{"incident", "telemetry", "localize", "codeindex", "patch", "policy", "replay", "attest", "remedy"}

// bans are further imports that are forbidden, directly or through others, each with its reason.
var bans = []struct{ who, what, why string }{
	{"incident", module + "/telemetry", "an incident is what an alert says; it must not depend on what was observed"},
	{"telemetry", module + "/incident", "telemetry is decoded the same whether or not anything is wrong"},
	{"localize", module + "/codeindex", "suspects are ranked by telemetry and changes; code only tells where they live"},
	{"localize", "os", "ranking is a function of its input: no files, no environment"},
	{"localize", "net/http", "ranking is a function of its input: no network, and never a model"},
	{"codeindex", module + "/localize", "the index answers leads from anywhere and knows nothing of incidents"},
	{"patch", "github.com/go-git/go-git/v5", "a draft is edits to contents; commits are made elsewhere"},
	{"patch", "net/http", "a recipe is deterministic and works offline"},
	{"policy", module + "/patch", "the policy judges facts, whoever wrote the patch"},
	{"replay", module + "/patch", "replay compares builds and must not know what was changed"},
	{"replay", module + "/localize", "replay reproduces behaviour; who is blamed must not colour what it sees"},
	{"remedy", module + "/internal/", "the state machine sees adapters through its own interfaces, so that tests and other front ends can bring theirs"},
	{"remedy", "github.com/go-git/go-git/v5", "vendors' SDKs live in adapters"},
	{"remedy", "github.com/google/go-github", "vendors' SDKs live in adapters"},
	{"remedy", "github.com/nats-io", "vendors' SDKs live in adapters"},
	{"patch", module + "/internal/", "a model is asked through an interface, so that a draft needs no server to be tested"},
	{"cmd", module + "/internal/githubtest", "a stand-in is for tests"},
	{"github-action", module + "/internal/githubtest", "a stand-in is for tests"},
}

// cgo is the one place that may need a C compiler.
const cgo = "github.com/smacker/go-tree-sitter"

// mayShare lists the adapters that may import others, and why.
var mayShare = map[string]string{
	"internal/workbench": "composes sandbox, toolchain and configuration into something that builds and starts services",
}

// plain are packages under internal/ that hold data and no adapter, so that everybody may import them.
var plain = []string{"internal/config"}

type goPackage struct {
	ImportPath string
	Imports    []string
	Deps       []string
}

func packages(t *testing.T) []goPackage {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps=false", "-json=ImportPath,Imports,Deps", "./...")
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, stderr.String())
	}
	var all []goPackage
	for dec := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < len(order) {
		t.Fatalf("go list found %d packages, fewer than there are steps", len(all))
	}
	return all
}

func TestImportsPointDown(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		layer := strings.Split(name, "/")[0]
		if at := slices.Index(order, layer); at >= 0 {
			seen[layer] = true
			for _, d := range p.Deps {
				rel, ours := strings.CutPrefix(d, module+"/")
				if !ours {
					continue
				}
				if i := slices.Index(order, strings.Split(rel, "/")[0]); i > at || i < 0 {
					t.Errorf("%s imports %s, which is above it", name, rel)
				}
			}
		}
		if strings.HasPrefix(name, "internal/") && mayShare[name] == "" {
			for _, d := range p.Imports {
				rel, ours := strings.CutPrefix(d, module+"/")
				if ours && strings.HasPrefix(rel, "internal/") && !sameTree(name, rel) && !slices.Contains(plain, rel) {
					t.Errorf("%s imports %s: adapters do not know each other; wire them in cmd/remediator", name, rel)
				}
			}
		}
	}
	for _, step := range order {
		if !seen[step] {
			t.Errorf("no package %s: the order above is not true any more", step)
		}
	}
}

// sameTree says whether two packages belong to one adapter.
func sameTree(a, b string) bool {
	return strings.Split(a, "/")[1] == strings.Split(b, "/")[1]
}

func TestBans(t *testing.T) {
	for _, p := range packages(t) {
		name := strings.TrimPrefix(p.ImportPath, module+"/")
		for _, b := range bans {
			if name != b.who && !strings.HasPrefix(name, b.who+"/") {
				continue
			}
			// A standard library package is banned directly; what the library imports is its own affair.
			deps := p.Imports
			if strings.Contains(b.what, ".") {
				deps = p.Deps
			}
			for _, d := range deps {
				if d == b.what || strings.HasPrefix(d, strings.TrimSuffix(b.what, "/")+"/") && b.what != "os" {
					t.Errorf("%s imports %s: %s", name, d, b.why)
				}
			}
		}
	}
}

func TestOnlyOnePackageNeedsCgo(t *testing.T) {
	var users []string
	for _, p := range packages(t) {
		for _, d := range p.Imports {
			if d == cgo || strings.HasPrefix(d, cgo+"/") {
				users = append(users, strings.TrimPrefix(p.ImportPath, module+"/"))
				break
			}
		}
	}
	if len(users) != 1 || !strings.HasPrefix(users[0], "codeindex/") {
		t.Errorf("%v import %s: exactly one package under codeindex may, so that the C compiler is needed in one place", users, cgo)
	}
}
