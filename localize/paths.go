package localize

import (
	"path"
	"strings"
)

// pathClass is what kind of file a path names.
type pathClass uint8

const (
	pathCode pathClass = iota
	pathConfig
	pathSchema // migrations
	pathInert  // documentation, tests, build, style: cannot change how the service runs
)

// classifyPath goes by the conventions of the languages' tools.
func classifyPath(p string) pathClass {
	lower := strings.ToLower(p)
	base, dir := path.Base(lower), "/"+path.Dir(lower)+"/"
	ext := path.Ext(base)
	for _, d := range []string{"/docs/", "/doc/", "/documentation/", "/test/", "/tests/", "/testdata/", "/__tests__/", "/spec/", "/.github/", "/.circleci/", "/.gitlab/", "/examples/", "/e2e/", "/fixtures/", "/mocks/", "/__mocks__/", "/cypress/"} {
		if strings.Contains(dir, d) {
			return pathInert
		}
	}
	switch ext {
	case ".md", ".rst", ".adoc", ".css", ".scss", ".less", ".svg", ".png", ".jpg", ".gif", ".ico", ".sum", ".lock", ".golden", ".snap":
		return pathInert
	case ".sql":
		return pathSchema
	}
	stem := strings.TrimSuffix(base, ext)
	if strings.HasSuffix(stem, "_test") || strings.HasPrefix(stem, "test_") || strings.HasSuffix(stem, ".test") || strings.HasSuffix(stem, ".spec") ||
		strings.HasSuffix(stem, "_spec") || strings.HasPrefix(stem, "mock_") ||
		(strings.HasSuffix(stem, "test") || strings.HasSuffix(stem, "tests")) && (ext == ".java" || ext == ".kt" || ext == ".cs") {
		return pathInert
	}
	switch base {
	case "codeowners", "license", "licence", "readme", "changelog", "changes", "authors", "notice", "conftest.py", "makefile", ".gitignore", ".editorconfig", ".golangci.yml", ".pre-commit-config.yaml", "package-lock.json", "go.sum", ".gitlab-ci.yml", "jenkinsfile":
		return pathInert
	}
	if strings.Contains(dir, "/migrations/") || strings.Contains(dir, "/migration/") {
		return pathSchema
	}
	switch ext {
	case ".yaml", ".yml", ".toml", ".json", ".properties", ".env", ".ini", ".conf", ".cfg", ".tf", ".hcl", ".xml":
		return pathConfig
	}
	if strings.HasPrefix(base, ".env") {
		return pathConfig
	}
	return pathCode
}

// isManifest says that a file lists dependencies.
func isManifest(p string) bool {
	switch path.Base(strings.ToLower(p)) {
	case "go.mod", "go.sum", "package.json", "package-lock.json", "yarn.lock", "pnpm-lock.yaml", "requirements.txt", "poetry.lock", "pyproject.toml",
		"pom.xml", "build.gradle", "build.gradle.kts", "gemfile", "gemfile.lock", "cargo.toml", "cargo.lock", "dockerfile", "pipfile", "pipfile.lock":
		return true
	}
	return false
}
