package policy

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
)

// The default rules and numbers travel in the binary.
//
//go:embed *.rego thresholds.json
var embedded embed.FS

// userPackage is the only kind of package a repository's own rules may have.
var userPackage = regexp.MustCompile(`^data\.remediator\.user\.[a-z][a-z0-9_]*$`)

// Bounds of a repository's own rules.
const (
	maxUserFiles = 100
	maxUserBytes = 1 << 20
)

// bundle is every module that takes part in a decision, with a digest over all of it.
type bundle struct {
	modules map[string]*ast.Module
	sources map[string]string
}

// defaultBundle parses the embedded rules; tests stay out.
func defaultBundle() (*bundle, error) {
	b := &bundle{modules: map[string]*ast.Module{}, sources: map[string]string{}}
	names, err := fs.Glob(embedded, "*.rego")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.rego") {
			continue
		}
		text, err := embedded.ReadFile(name)
		if err != nil {
			return nil, err
		}
		if err := b.add("default/"+name, string(text)); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func (b *bundle) add(name, text string) error {
	m, err := ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1})
	if err != nil {
		return fmt.Errorf("policy: %w", err)
	}
	if m == nil {
		return fmt.Errorf("policy: %s is empty; remove it or give it a package", name)
	}
	b.modules[name], b.sources[name] = m, text
	return nil
}

// addUser adds a repository's own rules and makes sure that they can only object.
func (b *bundle) addUser(fsys fs.FS) error {
	files, size := 0, 0
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() || path.Ext(name) != ".rego" || strings.HasSuffix(name, "_test.rego") {
			return nil
		}
		if !d.Type().IsRegular() {
			return fmt.Errorf("policy: %s is not a regular file; links are not followed", name)
		}
		f, err := fsys.Open(name)
		if err != nil {
			return err
		}
		defer f.Close()
		text, err := io.ReadAll(io.LimitReader(f, maxUserBytes+1))
		if err != nil {
			return err
		}
		files, size = files+1, size+len(text)
		if files > maxUserFiles || size > maxUserBytes {
			return fmt.Errorf("policy: the repository's rules are more than %d files or %d bytes", maxUserFiles, maxUserBytes)
		}
		key := "user/" + name
		if err := b.add(key, string(text)); err != nil {
			return err
		}
		return checkUserModule(name, b.modules[key])
	})
	if err != nil {
		return err
	}
	if files == 0 {
		return errors.New("policy: the repository's bundle holds no .rego file; remove policy.bundle from the configuration or add one")
	}
	return nil
}

// checkUserModule refuses what would not count: another package, a deny that is no set.
func checkUserModule(name string, m *ast.Module) error {
	pkg := m.Package.Path.String()
	if !userPackage.MatchString(pkg) {
		return fmt.Errorf("policy: %s has package %s; rules of a repository live in package remediator.user.NAME and add to the default ones",
			name, strings.TrimPrefix(pkg, "data."))
	}
	objects := false
	for _, rule := range m.Rules {
		ref := rule.Head.Ref()
		head := ref[0].Value.String()
		head = strings.Trim(head, `"`)
		if head != "deny" && head != "hold" {
			continue
		}
		if rule.Head.RuleKind() != ast.MultiValue || len(ref) > 1 || rule.Default {
			return fmt.Errorf("policy: %s:%d: %s has to be a set; write `%s contains finding if { ... }`", name, rule.Location.Row, head, head)
		}
		objects = true
	}
	if !objects {
		return fmt.Errorf("policy: %s has neither a deny nor a hold rule, so it could never object; write `deny contains finding if { ... }`", name)
	}
	return nil
}

// digest covers the rules and every number and path they compare with.
func (b *bundle) digest(data map[string]any) (string, error) {
	h := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(b.sources)) {
		fmt.Fprintf(h, "%d %s %d %s\n", len(name), name, len(b.sources[name]), b.sources[name])
	}
	canonical, err := json.Marshal(data)
	if err != nil {
		return "", err
	}
	h.Write(canonical)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// DefaultThresholds returns the numbers that rules compare with.
func DefaultThresholds() map[string]float64 {
	text, err := embedded.ReadFile("thresholds.json")
	if err != nil {
		panic(err) // the file is part of the binary
	}
	limits := map[string]float64{}
	if err := json.Unmarshal(text, &limits); err != nil {
		panic(err)
	}
	return limits
}
