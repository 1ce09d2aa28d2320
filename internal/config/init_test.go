package config

import (
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// tree makes a file system of name and content pairs.
func tree(pairs ...string) fstest.MapFS {
	out := fstest.MapFS{}
	for i := 0; i < len(pairs); i += 2 {
		out[pairs[i]] = &fstest.MapFile{Data: []byte(pairs[i+1])}
	}
	return out
}

func proposed(t *testing.T, fsys fstest.MapFS) (Config, string, []string) {
	t.Helper()
	text, notes, err := Init(fsys)
	if err != nil {
		t.Fatal(err)
	}
	c, err := Parse(text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := compiled(t).Validate(instance(t, string(text))); err != nil {
		t.Errorf("the schema refuses what is proposed: %v\n%s", err, text)
	}
	again, _, err := Init(fsys)
	if err != nil || string(again) != string(text) {
		t.Errorf("the second proposal differs (%v)", err)
	}
	return c, string(text), notes
}

const goMain = "package main\n\nimport (\"net/http\"; \"os\")\n\nfunc main() {\n\tup := os.Getenv(\"LEDGER_URL\")\n\t_ = os.Getenv(\"OTEL_EXPORTER_OTLP_ENDPOINT\")\n\thttp.HandleFunc(\"/healthz\", nil)\n\thttp.ListenAndServe(\":8081\", nil)\n}\n"

func TestInitOfAGoRepositoryWithOneProgram(t *testing.T) {
	c, text, _ := proposed(t, tree("go.mod", "module example.org/tools/parcel\n", "cmd/server/main.go", goMain,
		"internal/x/x.go", "package x\n", "hack/gen/main.go", "package main\nfunc main() {}\n", "testdata/golden-traces/parcel.json", "{}"))
	s, ok := c.Services["parcel"]
	if !ok || len(c.Services) != 1 {
		t.Fatalf("services are %v\n%s", c.ServiceNames(), text)
	}
	want := Service{
		Paths: []string{"**"}, Language: "go",
		Fetch: Command{"go", "mod", "download"}, Build: Command{"go", "build", "-o", "bin/parcel", "./cmd/server"},
		Test: Command{"go", "test", "./..."}, Run: Command{"./bin/parcel"}, Port: 8081, Health: "/healthz",
		Golden:       []string{"testdata/golden-traces/parcel.json"},
		Dependencies: []Dependency{{Name: "ledger", Env: "LEDGER_URL", Port: 18081, Value: "http://${addr}"}},
	}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("service is\n%+v, want\n%+v", s, want)
	}
	for _, part := range []string{"# Guessed from cmd/server/main.go.", "# From the variables the service reads", "autonomy: draft"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in\n%s", part, text)
		}
	}
}

func TestInitOfARepositoryWithSeveralPrograms(t *testing.T) {
	c, text, _ := proposed(t, tree("go.mod", "module m\n",
		"services/a/main.go", goMain, "services/b/cmd/server/main.go", goMain, "cmd/worker/main.go", goMain, "internal/worker/w.go", "package worker\n",
		"nested/go.mod", "module m/nested\n", "nested/main.go", goMain))
	if got := c.ServiceNames(); !slices.Equal(got, []string{"a", "b", "nested", "worker"}) {
		t.Fatalf("services are %v\n%s", got, text)
	}
	for name, paths := range map[string][]string{"a": {"services/a/**"}, "b": {"services/b/**"}, "worker": {"cmd/worker/**", "internal/worker/**"}, "nested": {"nested/**"}} {
		if got := c.Services[name].Paths; !slices.Equal(got, paths) {
			t.Errorf("paths of %s are %v, want %v", name, got, paths)
		}
	}
	if got := c.Services["b"].Test; !slices.Equal(got, Command{"go", "test", "./services/b/..."}) {
		t.Errorf("test of b is %v", got)
	}
	n := c.Services["nested"]
	if !slices.Equal(n.Build, Command{"go", "-C", "nested", "build", "-o", "../bin/nested", "."}) || !slices.Equal(n.Test, Command{"go", "-C", "nested", "test", "./..."}) {
		t.Errorf("nested is %+v", n)
	}
}

func TestInitOfPython(t *testing.T) {
	c, text, _ := proposed(t, tree(
		"rates/requirements.txt", "fastapi\nopenfeature-sdk\npytest\n", "rates/main.py", "from fastapi import FastAPI\napi = FastAPI()\n@api.get('/health')\ndef h(): ...\n",
		"stock/Dockerfile", "FROM python\nEXPOSE 7000\n", "stock/app.py", "import os\nURL = os.environ['WAREHOUSE_ADDR']\nif __name__ == '__main__':\n    pass\n",
		"scripts/main.py", "if __name__ == '__main__':\n    pass\n"))
	rates, stock := c.Services["rates"], c.Services["stock"]
	if len(c.Services) != 2 {
		t.Fatalf("services are %v\n%s", c.ServiceNames(), text)
	}
	if !slices.Equal(rates.Run, Command{"python3", "-m", "uvicorn", "main:api", "--app-dir", "rates", "--port", "8000"}) || rates.Port != 8000 || rates.Health != "/health" {
		t.Errorf("rates is %+v", rates)
	}
	if !slices.Equal(rates.Test, Command{"python3", "-m", "pytest", "-q", "rates"}) || rates.Env["PYTHONPATH"] == "" {
		t.Errorf("rates is %+v", rates)
	}
	if stock.Port != 7000 || stock.Test[2] != "unittest" || stock.Dependencies[0].Value != "${addr}" || stock.Dependencies[0].Name != "warehouse" {
		t.Errorf("stock is %+v", stock)
	}
	if c.Flags.Provider != "openfeature" {
		t.Errorf("flags are %+v", c.Flags)
	}
}

func TestInitOfNodeAndJava(t *testing.T) {
	c, text, _ := proposed(t, tree(
		"web/package.json", `{"name":"@org/front","scripts":{"start":"node .","test":"jest","build":"tsc"}}`, "web/tsconfig.json", "{}", "web/package-lock.json", "{}",
		"web/index.ts", "app.listen(3000); fetch(process.env.CATALOG_URL)",
		"lib/package.json", `{"name":"lib"}`, "broken/package.json", "{",
		"pom.xml", "<packaging>pom</packaging>", "mvnw", "", "shipping/pom.xml", "spring-boot", "shipping/src/main/java/App.java", "public static void main(String[] a)",
		"gradlew", "", "settings.gradle", "", "tax/build.gradle", "", "tax/src/main/java/Tax.java", "public static void main (String[] a)"))
	if got := c.ServiceNames(); !slices.Equal(got, []string{"shipping", "tax", "web"}) {
		t.Fatalf("services are %v\n%s", got, text)
	}
	web, shipping, tax := c.Services["web"], c.Services["shipping"], c.Services["tax"]
	if web.Language != "typescript" || web.Port != 3000 || web.Fetch[3] != "ci" || web.Dependencies[0].Name != "catalog" {
		t.Errorf("web is %+v", web)
	}
	if shipping.Test[0] != "./mvnw" || !slices.Contains(shipping.Test, "shipping") || shipping.Port != 8080 {
		t.Errorf("shipping is %+v", shipping)
	}
	if !slices.Equal(tax.Test, Command{"./gradlew", "--offline", ":tax:test"}) {
		t.Errorf("tax is %+v", tax)
	}
}

func TestInitReadsComposeFilesAndFlags(t *testing.T) {
	c, text, _ := proposed(t, tree("go.mod", "module m\n", "x/main.go", "package main\nfunc main() {}\n", "y/main.go", "package main\nfunc main() {}\n",
		"docker-compose.yml", "services:\n  front:\n    build: {context: ./x}\n    ports: [\"80:9090\"]\n    environment:\n      BACKEND: http://y:7070\n      DATABASE_URL: postgres://db\n  y:\n    build: ./y\n    expose: [7070]\n",
		"deploy/flags.json", `{"flags":{"a":{"defaultVariant":"off"}}}`))
	x, y := c.Services["x"], c.Services["y"]
	if x.Port != 9090 || y.Port != 7070 {
		t.Errorf("ports are %d and %d\n%s", x.Port, y.Port, text)
	}
	if len(x.Dependencies) != 1 || x.Dependencies[0] != (Dependency{Name: "y", Env: "BACKEND", Port: standInPort, Value: DefaultValue}) {
		t.Errorf("dependencies are %+v", x.Dependencies)
	}
	if c.Flags.Provider != "flagd" || c.Flags.File != "deploy/flags.json" {
		t.Errorf("flags are %+v", c.Flags)
	}
}

func TestInitSaysWhatItCouldNotFind(t *testing.T) {
	if _, _, err := Init(tree("README.md", "x")); err == nil || !strings.Contains(err.Error(), "no service was recognised") {
		t.Errorf("error is %v", err)
	}
	c, _, notes := proposed(t, tree("go.mod", "module m\n", "main.go", "package main\nfunc main() {}\n"))
	if len(c.Services["m"].Run) != 0 || len(notes) != 1 || !strings.Contains(notes[0], "no port was found for service m") {
		t.Errorf("service is %+v, notes %v", c.Services["m"], notes)
	}
	_, _, notes = proposed(t, tree("go.mod", "module m\n", "main.go", goMain, "compose.yaml", "a: &x 1\nb: *x\n"))
	if len(notes) != 1 || !strings.Contains(notes[0], "compose.yaml was not read") {
		t.Errorf("notes are %v", notes)
	}
}

func TestServicesOfOneNameAreToldApart(t *testing.T) {
	c, text, _ := proposed(t, tree("a/go.mod", "module x\n", "a/api/main.go", goMain, "b/go.mod", "module y\n", "b/api/main.go", goMain, "b/w/main.go", goMain, "a/w/main.go", goMain))
	if len(c.Services) != 4 {
		t.Errorf("services are %v\n%s", c.ServiceNames(), text)
	}
}

func TestMatchesAndOwner(t *testing.T) {
	for _, c := range []struct {
		pattern, file string
		want          bool
	}{
		{"a", "a/b.go", true}, {"a/", "a/b.go", true}, {"a", "ab.go", false}, {"a/**", "a/b/c.go", true}, {"a/**", "a", false},
		{"**/x.go", "x.go", true}, {"**/x.go", "a/b/x.go", true}, {"a/*.go", "a/b.go", true}, {"a/*.go", "a/b/c.go", false},
		{".", "a", true}, {"**", "a/b", true}, {"a/**/z", "a/z", true}, {"./a", "a/b", true}, {"", "a", false},
	} {
		if got := Matches(c.pattern, c.file); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.file, got)
		}
	}
	c := Config{Services: map[string]Service{"whole": {Paths: []string{"**"}}, "part": {Paths: []string{"svc/part/**"}}}}
	for file, want := range map[string]string{"svc/part/x.go": "part", "svc/x.go": "whole"} {
		if got := c.Owner(file); got != want {
			t.Errorf("owner of %s is %q, want %q", file, got, want)
		}
	}
	if got := (Config{}).Owner("x"); got != "" {
		t.Errorf("owner of nothing is %q", got)
	}
}

func TestParseSize(t *testing.T) {
	for text, want := range map[string]int64{"1KiB": 1024, "1.5GiB": 3 << 29, "2 GB": 2e9, "512Mi": 512 << 20, "100": 100, "7B": 7} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s is %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "x", "-1GiB", "0", "NaN", "1e30TiB", "1XB", "Inf"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is %d", text, got)
		}
	}
}

// Whatever a repository holds, a proposal is a valid configuration.
func FuzzInit(f *testing.F) {
	f.Add("svc", "main.go", goMain)
	f.Add("a b'\"", "app.py", "if __name__ == '__main__':\n pass")
	f.Add("x", "package.json", `{"name":"\u0000","scripts":{"start":"x"}}`)
	f.Add("x", "compose.yml", "services: {a: {build: 1, ports: [{}], environment: 3}}")
	f.Fuzz(func(t *testing.T, dir, name, text string) {
		if strings.ContainsAny(dir+name, "/\\\x00\n") || dir == "" || name == "" || dir == "." || dir == ".." || name == "." || name == ".." {
			return
		}
		fsys := tree("go.mod", "module m\n", "main.go", goMain, "requirements.txt", "", path.Join(dir, name), text, path.Join(dir, "main.go"), goMain, path.Join(dir, "Dockerfile"), text)
		for _, n := range []string{dir, name} {
			if !fstestValid(n) {
				return
			}
		}
		out, _, err := Init(fsys)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := Parse(out); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	})
}

func fstestValid(name string) bool { return strings.ToValidUTF8(name, "") == name }
