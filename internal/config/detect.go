package config

import (
	"encoding/json"
	"path"
	"regexp"
	"slices"
	"strings"
)

var (
	mainPackage = regexp.MustCompile(`(?m)^package main\b`)
	mainFunc    = regexp.MustCompile(`(?m)^func main\(`)
	moduleLine  = regexp.MustCompile(`(?m)^module\s+"?([^\s"]+)`)
)

// helpers are directories whose programs serve developers, not users.
var helperDirs = []string{"tools", "tool", "hack", "scripts", "script", "examples", "example", "test", "tests", "e2e", "internal", "docs", "benchmark", "benchmarks"}

// genericMains are names of main directories that say nothing about the service.
var genericMains = []string{"server", "main", "app", "api", "service", "cmd", "src", "serve", "web"}

// goServices finds the main packages of every Go module.
func (s *survey) goServices() []*proposal {
	var out []*proposal
	for _, module := range s.dirs {
		if !s.has(module, "go.mod") {
			continue
		}
		mains := s.goMains(module)
		if kept := slices.DeleteFunc(slices.Clone(mains), func(d string) bool { return helper(module, d) }); len(kept) > 0 {
			mains = kept
		}
		name := "service"
		if m := moduleLine.FindStringSubmatch(s.read(path.Join(module, "go.mod"))); m != nil {
			name = path.Base(strings.TrimSuffix(m[1], "/v2"))
		}
		for _, dir := range mains {
			out = append(out, s.goService(module, dir, base(module, name), len(mains) == 1))
		}
	}
	return out
}

// goMains lists the directories of a module, nested modules left out, that hold a main package.
func (s *survey) goMains(module string) []string {
	var out []string
	for _, dir := range s.under(module) {
		if s.moduleOf(dir) != module {
			continue
		}
		for _, name := range s.files[dir] {
			if path.Ext(name) != ".go" || testName.MatchString(name) {
				continue
			}
			if text := s.read(path.Join(dir, name)); mainPackage.MatchString(text) && mainFunc.MatchString(text) && !strings.Contains(text, "//go:build ignore") {
				out = append(out, dir)
				break
			}
		}
	}
	return out
}

func (s *survey) moduleOf(dir string) string {
	for {
		if s.has(dir, "go.mod") || dir == "." {
			return dir
		}
		dir = path.Dir(dir)
	}
}

func helper(module, dir string) bool {
	rel := strings.TrimPrefix(strings.TrimPrefix(dir, module), "/")
	for part := range strings.SplitSeq(rel, "/") {
		if slices.Contains(helperDirs, part) {
			return true
		}
	}
	return false
}

// relative writes dir as seen from module, in Go's form.
func relative(module, dir string) string {
	if dir == module {
		return "."
	}
	if module != "." {
		dir = strings.TrimPrefix(dir, module+"/")
	}
	return "./" + dir
}

func (s *survey) goService(module, dir, moduleName string, only bool) *proposal {
	p := &proposal{name: base(dir, moduleName), dir: dir}
	parts := strings.Split(dir, "/")
	owner := dir
	if i := slices.Index(parts, "cmd"); i >= 0 && dir != module {
		// a/cmd/x belongs to a; cmd/x of a module with one program to the whole module.
		owner = path.Join(append([]string{"."}, parts[:i]...)...)
		if owner == module && !only {
			owner = dir
		}
	}
	if only {
		owner = module
	}
	if slices.Contains(genericMains, p.name) && owner != dir {
		p.name = base(owner, moduleName)
	}
	p.dir = owner
	p.service.Language = "go"
	p.service.Paths = []string{pathsOf(owner)}
	if owner == dir && !only {
		for _, shared := range []string{"internal/" + p.name, "pkg/" + p.name, p.name} {
			if other := path.Join(module, shared); other != dir && s.hasDir(other) {
				p.service.Paths = append(p.service.Paths, pathsOf(other))
			}
		}
		p.comment("paths", "Code shared with other programs belongs to nobody here; add it where one service owns it.")
	}
	goTool := []string{"go"}
	up := ""
	if module != "." {
		goTool = []string{"go", "-C", module}
		up = strings.Repeat("../", strings.Count(module, "/")+1)
	}
	command := func(args ...string) Command { return append(slices.Clone(Command(goTool)), args...) }
	if !s.vendored(module) {
		p.service.Fetch = command("mod", "download")
	}
	pattern := relative(module, owner) + "/..."
	if owner == module {
		pattern = "./..."
	}
	binary := "bin/" + strings.Trim(notInName.ReplaceAllString(p.name, "-"), "-._")
	p.service.Build = command("build", "-o", up+binary, relative(module, dir))
	p.service.Test = command("test", pattern)
	p.service.Run = Command{"./" + binary}
	return p
}

// vendored looks at the file system itself, since the survey leaves vendor directories out.
func (s *survey) vendored(module string) bool {
	f, err := s.fsys.Open(path.Join(module, "vendor/modules.txt"))
	if err != nil {
		return false
	}
	f.Close()
	return true
}

var (
	pythonEntries = []string{"main.py", "app.py", "server.py", "wsgi.py", "asgi.py", "run.py", "manage.py", "__main__.py"}
	pythonMarkers = []string{"pyproject.toml", "requirements.txt", "setup.py", "setup.cfg", "Pipfile"}
	pythonGuard   = regexp.MustCompile(`(?m)^if __name__ == ['"]__main__['"]`)
	asgiApp       = regexp.MustCompile(`(?m)^(\w+)\s*(?::[^=\n]*)?=\s*(?:\w+\.)?(FastAPI|Starlette|Litestar|Quart)\(`)
	flaskApp      = regexp.MustCompile(`(?m)^(\w+)\s*(?::[^=\n]*)?=\s*(?:\w+\.)?Flask\(`)
)

// pythonServices finds entry points of Python below a project's marker or a Dockerfile.
func (s *survey) pythonServices() []*proposal {
	var out []*proposal
	var owners []string
	for _, dir := range s.dirs {
		entry := s.first(dir, pythonEntries...)
		if entry == "" || helper(".", dir) || slices.ContainsFunc(owners, func(o string) bool { return o == "." || strings.HasPrefix(dir+"/", o+"/") }) {
			continue
		}
		owner := s.pythonProject(dir)
		if owner == "" {
			continue
		}
		text := s.read(path.Join(dir, entry))
		if entry != "manage.py" && !pythonGuard.MatchString(text) && !asgiApp.MatchString(text) && !flaskApp.MatchString(text) {
			continue
		}
		owners = append(owners, owner)
		out = append(out, s.pythonService(owner, path.Join(dir, entry), text))
	}
	return out
}

// pythonProject is the directory that an entry point belongs to: the nearest with a marker, or its
// own when it is built by itself or a project covers the repository. "" means that it is a loose script.
func (s *survey) pythonProject(dir string) string {
	for d := dir; ; d = path.Dir(d) {
		if s.has(d, "Dockerfile") || s.has(d, pythonMarkers...) {
			if d == "." && dir != "." {
				return dir
			}
			return d
		}
		if d == "." {
			return ""
		}
	}
}

func (s *survey) pythonService(owner, entry, text string) *proposal {
	p := &proposal{name: base(owner, "service"), dir: owner}
	if slices.Contains(genericMains, p.name) && path.Dir(owner) != "." {
		p.name = path.Base(path.Dir(owner))
	}
	p.service.Language = "python"
	p.service.Paths = []string{pathsOf(owner)}
	if s.usesPytest(owner) {
		p.service.Test = Command{"python3", "-m", "pytest", "-q", owner}
	} else {
		p.service.Test = Command{"python3", "-m", "unittest", "discover", "-s", owner}
		p.comment("test", "No sign of pytest was found; this runs the standard library's tests.")
	}
	p.service.Build = Command{"python3", "-m", "compileall", "-q", owner}
	p.comment("fetch", "Installs into a directory of the case; a virtual environment of your own goes under read_only.")
	if file := s.first(owner, "requirements.txt"); file != "" {
		p.service.Fetch = Command{"python3", "-m", "pip", "install", "--quiet", "--target", ".python", "-r", path.Join(owner, file)}
		p.service.Env = map[string]string{"PYTHONPATH": ".python"}
	}
	module := strings.TrimSuffix(path.Base(entry), ".py")
	switch {
	case path.Base(entry) == "manage.py":
		p.service.Run = Command{"python3", entry, "runserver", "--noreload", "8000"}
		p.service.Port = 8000
	case pythonGuard.MatchString(text):
		p.service.Run = Command{"python3", entry}
	case asgiApp.MatchString(text):
		p.service.Run = Command{"python3", "-m", "uvicorn", module + ":" + asgiApp.FindStringSubmatch(text)[1], "--app-dir", path.Dir(entry), "--port", "8000"}
		p.service.Port = 8000
	default:
		p.service.Run = Command{"python3", "-m", "flask", "--app", entry, "run", "--port", "5000"}
		p.service.Port = 5000
	}
	return p
}

func (s *survey) usesPytest(owner string) bool {
	for _, dir := range []string{owner, "."} {
		for _, name := range []string{"requirements.txt", "requirements-dev.txt", "dev-requirements.txt", "pyproject.toml", "setup.cfg", "tox.ini", "Pipfile"} {
			if strings.Contains(s.read(path.Join(dir, name)), "pytest") {
				return true
			}
		}
		if s.has(dir, "pytest.ini", "conftest.py") {
			return true
		}
	}
	for _, dir := range s.under(owner) {
		for _, name := range s.files[dir] {
			if testName.MatchString(name) && strings.Contains(s.read(path.Join(dir, name)), "import pytest") {
				return true
			}
		}
	}
	return false
}

// nodeServices finds packages that can be started.
func (s *survey) nodeServices() []*proposal {
	var out []*proposal
	for _, dir := range s.dirs {
		if !s.has(dir, "package.json") {
			continue
		}
		var pkg struct {
			Name       string            `json:"name"`
			Scripts    map[string]string `json:"scripts"`
			Workspaces json.RawMessage   `json:"workspaces"`
		}
		if err := json.Unmarshal([]byte(s.read(path.Join(dir, "package.json"))), &pkg); err != nil {
			s.note(path.Join(dir, "package.json") + " cannot be read: " + err.Error())
			continue
		}
		if pkg.Workspaces != nil || pkg.Scripts["start"] == "" {
			continue
		}
		p := &proposal{name: base(dir, path.Base(pkg.Name)), dir: dir}
		p.service.Language = "javascript"
		if s.has(dir, "tsconfig.json") {
			p.service.Language = "typescript"
		}
		p.service.Paths = []string{pathsOf(dir)}
		tool := s.packageManager(dir)
		p.service.Fetch = tool("install")
		if pkg.Scripts["build"] != "" {
			p.service.Build = tool("run", "build")
		}
		p.service.Test = tool("run", "test")
		if pkg.Scripts["test"] == "" {
			p.service.Test = Command{"node", "--test", dir}
			p.comment("test", "package.json has no test script; this runs node's own test runner.")
		}
		p.service.Run = tool("run", "start")
		out = append(out, p)
	}
	return out
}

// packageManager returns how to run a command of the manager whose lock file lies nearest.
func (s *survey) packageManager(dir string) func(args ...string) Command {
	for d := dir; ; d = path.Dir(d) {
		switch {
		case s.has(d, "pnpm-lock.yaml"):
			return func(args ...string) Command { return append(Command{"pnpm", "--dir", dir}, args...) }
		case s.has(d, "yarn.lock"):
			return func(args ...string) Command { return append(Command{"yarn", "--cwd", dir}, args...) }
		case s.has(d, "package-lock.json"):
			return func(args ...string) Command {
				if args[0] == "install" {
					args = []string{"ci"}
				}
				return append(Command{"npm", "--prefix", dir}, args...)
			}
		case d == ".":
			return func(args ...string) Command { return append(Command{"npm", "--prefix", dir}, args...) }
		}
	}
}

var (
	pomPackaging = regexp.MustCompile(`<packaging>\s*pom\s*</packaging>`)
	javaMain     = regexp.MustCompile(`public\s+static\s+void\s+main\s*\(`)
)

// javaServices finds Maven and Gradle modules with a main class.
func (s *survey) javaServices() []*proposal {
	var out []*proposal
	for _, dir := range s.dirs {
		maven, gradle := s.has(dir, "pom.xml"), s.has(dir, "build.gradle", "build.gradle.kts")
		if !maven && !gradle || maven && pomPackaging.MatchString(s.read(path.Join(dir, "pom.xml"))) || !s.javaMain(dir) {
			continue
		}
		p := &proposal{name: base(dir, "service"), dir: dir}
		p.service.Language = "java"
		p.service.Paths = []string{pathsOf(dir)}
		if maven {
			tool := Command{"mvn", "-B", "-q"}
			if s.has(".", "mvnw") {
				tool[0] = "./mvnw"
			}
			if dir != "." {
				if s.has(".", "pom.xml") {
					tool = append(tool, "-pl", dir, "-am")
				} else {
					tool = append(tool, "-f", path.Join(dir, "pom.xml"))
				}
			}
			with := func(args ...string) Command { return append(slices.Clone(tool), args...) }
			p.service.Fetch = with("dependency:go-offline")
			p.service.Build = with("-o", "package", "-DskipTests")
			p.service.Test = with("-o", "test")
			if strings.Contains(s.read(path.Join(dir, "pom.xml")), "spring-boot") {
				p.service.Run = Command{"mvn", "-B", "-q", "-o", "-f", path.Join(dir, "pom.xml"), "spring-boot:run"}
				p.service.Port = 8080
				p.comment("port", "The default of Spring Boot.")
			}
		} else {
			task := ":"
			if dir != "." && s.has(".", "settings.gradle", "settings.gradle.kts") {
				task = ":" + strings.ReplaceAll(dir, "/", ":") + ":"
			}
			tool := "gradle"
			if s.has(".", "gradlew") {
				tool = "./gradlew"
			}
			p.service.Build = Command{tool, "--offline", task + "assemble"}
			p.service.Test = Command{tool, "--offline", task + "test"}
			p.service.Fetch = Command{tool, task + "dependencies"}
		}
		out = append(out, p)
	}
	return out
}

// javaMain looks for a main class that belongs to this module and to none below it.
func (s *survey) javaMain(dir string) bool {
	for _, file := range s.sources(dir, ".java", ".kt") {
		owner := path.Dir(file)
		for owner != dir && !s.has(owner, "pom.xml", "build.gradle", "build.gradle.kts") {
			owner = path.Dir(owner)
		}
		if owner == dir && (javaMain.MatchString(s.read(file)) || strings.Contains(s.read(file), "@SpringBootApplication")) {
			return true
		}
	}
	return false
}
