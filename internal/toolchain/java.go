package toolchain

import (
	"bytes"
	"context"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findJava uses the JDK on the PATH, and Maven or Gradle by what the working copy holds.
func findJava(ctx context.Context, m *machine, dir string, t *Toolchain) error {
	program, err := m.lookPath("java")
	if err != nil {
		return err
	}
	home, version, err := m.javaHome(ctx, program)
	if err != nil {
		return err
	}
	t.Version = "java " + version
	t.Env["JAVA_HOME"] = home
	t.ReadOnly = append(t.ReadOnly, m.installs(home)...)
	path := []string{filepath.Join(home, "bin")}
	gradle := exists(filepath.Join(dir, "build.gradle")) || exists(filepath.Join(dir, "build.gradle.kts"))
	tool := "mvn"
	if gradle {
		tool = "gradle"
	}
	found, err := m.lookPath(tool)
	if err != nil {
		t.Notes = append(t.Notes, err.Error()+", or name build and test commands in the configuration")
	} else if real, err := filepath.EvalSymlinks(found); err == nil {
		t.ReadOnly = append(t.ReadOnly, m.installs(filepath.Dir(filepath.Dir(real)))...)
		path = append(path, filepath.Dir(real))
	}
	t.Env["PATH"] = pathWith(path...)
	// The JDK takes the home directory from the password file, not from HOME.
	javaHome := "-Duser.home=" + t.Env["HOME"]
	if gradle {
		t.Env["GRADLE_USER_HOME"] = m.private("gradle")
		t.Env["GRADLE_OPTS"] = javaHome + " -Dorg.gradle.daemon=false"
		if cache := filepath.Join(m.home(), ".gradle", "caches"); exists(filepath.Join(cache, "modules-2")) {
			t.Env["GRADLE_RO_DEP_CACHE"] = cache
			t.ReadOnly = append(t.ReadOnly, cache)
		} else {
			t.Notes = append(t.Notes, "no ~/.gradle/caches/modules-2: build once by hand, so that the dependencies are there")
		}
		t.Build = []string{"gradle", "--offline", "-q", "assemble", "testClasses"}
		t.Test = []string{"gradle", "--offline", "-q", "test"}
		return nil
	}
	return m.maven(t, javaHome)
}

// maven shows the user's repository read-only, but not the settings beside it, which hold passwords.
func (m *machine) maven(t *Toolchain, javaHome string) error {
	repository := filepath.Join(m.home(), ".m2", "repository")
	if !exists(repository) {
		t.Notes = append(t.Notes, "no ~/.m2/repository yet: the fetch command fills it")
	}
	t.ReadOnly = append(t.ReadOnly, repository)
	t.Env["MAVEN_OPTS"] = javaHome
	var escaped bytes.Buffer
	if err := xml.EscapeText(&escaped, []byte(repository)); err != nil {
		return err
	}
	settings := filepath.Join(t.Env["HOME"], ".m2", "settings.xml")
	if err := os.MkdirAll(filepath.Dir(settings), 0o755); err != nil {
		return err
	}
	text := fmt.Sprintf("<settings><localRepository>%s</localRepository><offline>true</offline><interactiveMode>false</interactiveMode></settings>\n", escaped.String())
	if err := os.WriteFile(settings, []byte(text), 0o644); err != nil {
		return err
	}
	t.Fetch = []string{"mvn", "-B", "-q", "dependency:go-offline"}
	t.Build = []string{"mvn", "-o", "-B", "-q", "test-compile"}
	t.Test = []string{"mvn", "-o", "-B", "-q", "test"}
	return nil
}

// javaHome asks the virtual machine itself; /usr/bin/java is a link through /etc/alternatives on some systems and
// a shim on others.
func (m *machine) javaHome(ctx context.Context, program string) (home, version string, err error) {
	// The settings go to standard error in some releases and to standard output in others.
	out, err := m.query(ctx, []string{"JAVA_TOOL_OPTIONS=", "_JAVA_OPTIONS="}, "/bin/sh", "-c", `exec "$0" -XshowSettings:properties -version 2>&1`, program)
	if err != nil {
		return "", "", err
	}
	for line := range strings.Lines(out) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " = ")
		switch {
		case ok && name == "java.home":
			home = value
		case ok && name == "java.version":
			version = value
		}
	}
	if !filepath.IsAbs(home) {
		return "", "", fmt.Errorf("%s does not say where it is installed", program)
	}
	// Java 8 has its own home below that of the JDK.
	if filepath.Base(home) == "jre" && exists(filepath.Join(filepath.Dir(home), "bin", "javac")) {
		home = filepath.Dir(home)
	}
	return home, version, nil
}
