package policy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
)

// DefaultTimeout is far above what the default rules need and stops a rule that does not end.
const DefaultTimeout = time.Second

// Options are what a repository may say about the policy.
type Options struct {
	// Bundle holds the repository's own .rego files; nil for none.
	Bundle fs.FS
	// Thresholds replace default numbers, by name.
	Thresholds map[string]float64
	// Protected are files and directories no patch may touch beyond the default ones, relative
	// to the repository's root: its own policy, golden sets.
	Protected []string
	Timeout   time.Duration // of one decision; 0 means DefaultTimeout
}

// Engine decides. It may be used by several goroutines.
type Engine struct {
	query   rego.PreparedEvalQuery
	digest  string
	timeout time.Duration
}

// New compiles the default rules together with a repository's own.
func New(ctx context.Context, o Options) (*Engine, error) {
	b, err := defaultBundle()
	if err != nil {
		return nil, err
	}
	if o.Bundle != nil {
		if err := b.addUser(o.Bundle); err != nil {
			return nil, err
		}
	}
	limits, err := thresholds(o.Thresholds)
	if err != nil {
		return nil, err
	}
	protected := make([]any, 0, len(o.Protected))
	for _, p := range slices.Sorted(slices.Values(o.Protected)) {
		protected = append(protected, strings.TrimPrefix(p, "./"))
	}
	data := map[string]any{"limits": limits, "protected": protected}
	digest, err := b.digest(data)
	if err != nil {
		return nil, err
	}
	compiler := ast.NewCompiler().WithCapabilities(capabilities()).WithStrict(true)
	if compiler.Compile(b.modules); compiler.Failed() {
		return nil, fmt.Errorf("policy: %w", compiler.Errors)
	}
	query, err := rego.New(
		rego.Query("decision = data.remediator.decision"),
		rego.Compiler(compiler),
		rego.Store(inmem.NewFromObject(data)),
		rego.StrictBuiltinErrors(true),
	).PrepareForEval(ctx)
	if err != nil {
		return nil, fmt.Errorf("policy: %w", err)
	}
	e := &Engine{query: query, digest: digest, timeout: o.Timeout}
	if e.timeout <= 0 {
		e.timeout = DefaultTimeout
	}
	return e, nil
}

// thresholds lays the repository's numbers over the default ones.
func thresholds(own map[string]float64) (map[string]any, error) {
	defaults := DefaultThresholds()
	known := slices.Sorted(maps.Keys(defaults))
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if _, ok := defaults[name]; !ok {
			return nil, fmt.Errorf("policy: there is no threshold %q; known are %s", name, strings.Join(known, ", "))
		}
		if v := own[name]; math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return nil, fmt.Errorf("policy: threshold %s is %v; it must be a number from 0", name, v)
		}
		defaults[name] = own[name]
	}
	out := make(map[string]any, len(defaults))
	for name, v := range defaults {
		out[name] = number(v)
	}
	return out, nil
}

// number writes whole numbers without a fraction, as people wrote them.
func number(v float64) json.Number {
	text, err := json.Marshal(v)
	if err != nil {
		return "0"
	}
	return json.Number(text)
}

// capabilities leaves out every built-in function that could see or reach anything but the
// facts: network, environment, clock, randomness.
func capabilities() *ast.Capabilities {
	c := ast.CapabilitiesForThisVersion()
	c.AllowNet = []string{}
	c.Builtins = slices.DeleteFunc(slices.Clone(c.Builtins), func(b *ast.Builtin) bool {
		if b.Nondeterministic {
			return true
		}
		for _, prefix := range []string{"http.", "net.", "opa.", "rand.", "uuid.", "rego.", "providers.", "io.jwt.", "trace", "print"} {
			if strings.HasPrefix(b.Name, prefix) {
				return true
			}
		}
		return slices.Contains([]string{"time.now_ns", "internal.print"}, b.Name)
	})
	return c
}

// Decide evaluates the rules. Objections are findings, never errors; an error means that no
// decision could be made, which must be treated as a denial.
func (e *Engine) Decide(ctx context.Context, f Facts) (Decision, error) {
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	input, err := f.input()
	if err != nil {
		return Decision{}, err
	}
	results, err := e.query.Eval(ctx, rego.EvalParsedInput(input))
	if ctx.Err() != nil {
		return Decision{}, fmt.Errorf("policy: no decision within %v: %w", e.timeout, ctx.Err())
	}
	if err != nil {
		return Decision{}, fmt.Errorf("policy: %w", err)
	}
	if len(results) != 1 {
		return Decision{}, errors.New("policy: the rules gave no decision")
	}
	// Through JSON: it is the form in which rules and Go agree about types.
	text, err := json.Marshal(results[0].Bindings["decision"])
	if err != nil {
		return Decision{}, fmt.Errorf("policy: %w", err)
	}
	var d Decision
	if err := json.Unmarshal(text, &d); err != nil {
		return Decision{}, fmt.Errorf("policy: a rule's finding has fields of the wrong type: %w", err)
	}
	d.Bundle = e.digest
	d.settle()
	return d, nil
}

// settle sorts the findings and draws the conclusion.
func (d *Decision) settle() {
	rank := map[Outcome]int{Deny: 0, Hold: 1}
	slices.SortFunc(d.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(rank[a.Effect], rank[b.Effect]), strings.Compare(a.Rule, b.Rule),
			strings.Compare(a.Path, b.Path), strings.Compare(a.Message, b.Message))
	})
	slices.Sort(d.Rules)
	d.Outcome = Allow
	for _, f := range d.Findings {
		switch f.Effect {
		case Deny:
			d.Outcome = Deny
			return
		case Hold:
			d.Outcome = Hold
		}
	}
}

// Digest is the SHA-256 of the rules and numbers, in hex, as decisions carry it.
func (e *Engine) Digest() string { return e.digest }

// input is the facts as Rego sees them, with empty lists where Go has nil.
func (f Facts) input() (ast.Value, error) {
	f.Paths, f.Files, f.API = orEmpty(f.Paths), orEmpty(f.Files), orEmpty(f.API)
	f.Telemetry, f.Weakened = orEmpty(f.Telemetry), orEmpty(f.Weakened)
	text, err := json.Marshal(f)
	if err != nil {
		return nil, fmt.Errorf("policy: facts: %w", err)
	}
	v, err := ast.ValueFromReader(strings.NewReader(string(text)))
	if err != nil {
		return nil, fmt.Errorf("policy: facts: %w", err)
	}
	return v, nil
}

func orEmpty[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
