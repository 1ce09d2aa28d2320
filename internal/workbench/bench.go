package workbench

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/sandbox"
	"github.com/remediator/remediator/internal/toolchain"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

// Bench makes variants of one repository; it implements remedy.Workbench.
type Bench struct {
	fence *sandbox.Sandbox
	repo  *Repository
	work  string // absolute; private to the case
	user  string // the user's checkout, where a virtual environment may lie
}

// New returns a bench that works below the directory work.
func New(fence *sandbox.Sandbox, repo *Repository, work, checkout string) *Bench {
	return &Bench{fence: fence, repo: repo, work: work, user: checkout}
}

// Fence implements remedy.Workbench.
func (b *Bench) Fence() string { return string(b.fence.Fence()) }

// Variant implements remedy.Workbench.
func (b *Bench) Variant(ctx context.Context, name, commit string, edits []patch.FileEdit) (remedy.Variant, error) {
	root := filepath.Join(b.work, patch.Slug(name, '-', 60))
	v := &variant{bench: b, src: filepath.Join(root, "src"), scratch: filepath.Join(root, "scratch"), tools: map[string]toolchain.Toolchain{}}
	if err := os.RemoveAll(root); err != nil {
		return nil, fmt.Errorf("clearing the work directory: %w", err)
	}
	for _, dir := range []string{v.src, v.scratch} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return nil, fmt.Errorf("work directory: %w", err)
		}
	}
	if _, err := b.repo.clone.Checkout(ctx, commit, v.src); err != nil {
		return nil, err
	}
	if err := patch.ApplyFiles(v.src, edits); err != nil {
		return nil, err
	}
	if warm := filepath.Join(b.work, baseVariant, "scratch", "gocache"); name != baseVariant && isDir(warm) {
		v.warm = []string{warm}
	}
	return v, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// baseVariant is the name the pipeline gives to the build without any change. What it left in
// its caches serves the others to read; never the other way round.
const baseVariant = "base"

// variant is one version of the repository in a private directory.
type variant struct {
	bench        *Bench
	src, scratch string
	warm         []string

	mu    sync.Mutex
	tools map[string]toolchain.Toolchain
}

func (v *variant) service(name string) (config.Service, bool) {
	s, ok := v.bench.repo.config.Services[name]
	return s, ok
}

// toolchain finds the toolchain of a service's language once.
func (v *variant) toolchain(ctx context.Context, s config.Service) (toolchain.Toolchain, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if t, ok := v.tools[s.Language]; ok {
		return t, nil
	}
	t, err := toolchain.For(ctx, s.Language, v.src, toolchain.Options{Scratch: v.scratch, Warm: v.warm, Checkout: v.bench.user})
	if err == nil {
		v.tools[s.Language] = t
	}
	return t, err
}

// Fetch implements remedy.Variant.
func (v *variant) Fetch(ctx context.Context, service string) (remedy.CommandResult, error) {
	s, ok := v.service(service)
	if !ok {
		return remedy.CommandResult{Skipped: true}, nil
	}
	t, err := v.toolchain(ctx, s)
	if err != nil {
		return remedy.CommandResult{}, err
	}
	argv := []string(s.Fetch)
	if len(argv) == 0 {
		argv = t.Fetch
	}
	if len(argv) == 0 {
		return remedy.CommandResult{Skipped: true}, nil
	}
	if err := toolchain.Fetch(ctx, s.Language, v.src, argv); err != nil {
		return remedy.CommandResult{Command: argv, Code: 1, Output: err.Error()}, nil
	}
	return remedy.CommandResult{Command: argv}, nil
}

// Build implements remedy.Variant.
func (v *variant) Build(ctx context.Context, service string) (remedy.CommandResult, error) {
	return v.configured(ctx, service, nil, func(s config.Service, t toolchain.Toolchain) []string {
		return choose(s.Build, t.Build)
	})
}

// Test implements remedy.Variant.
func (v *variant) Test(ctx context.Context, service string, env map[string]string) (remedy.CommandResult, error) {
	return v.configured(ctx, service, env, func(s config.Service, t toolchain.Toolchain) []string {
		return choose(s.Test, t.Test)
	})
}

// Command implements remedy.Variant.
func (v *variant) Command(ctx context.Context, service string, argv []string, env map[string]string) (remedy.CommandResult, error) {
	return v.configured(ctx, service, env, func(config.Service, toolchain.Toolchain) []string { return argv })
}

func choose(configured config.Command, fallback []string) []string {
	if len(configured) > 0 {
		return configured
	}
	return fallback
}

func (v *variant) configured(ctx context.Context, service string, env map[string]string, argv func(config.Service, toolchain.Toolchain) []string) (remedy.CommandResult, error) {
	s, ok := v.service(service)
	if !ok {
		return remedy.CommandResult{Skipped: true}, nil
	}
	t, err := v.toolchain(ctx, s)
	if err != nil {
		return remedy.CommandResult{}, err
	}
	command := argv(s, t)
	if len(command) == 0 {
		return remedy.CommandResult{Skipped: true}, nil
	}
	spec, err := v.spec(s, t, env)
	if err != nil {
		return remedy.CommandResult{}, err
	}
	spec.Command = command
	res, err := v.bench.fence.Run(ctx, spec)
	if err != nil {
		return remedy.CommandResult{}, err
	}
	if res.Killed == sandbox.KilledCanceled {
		return remedy.CommandResult{}, context.Cause(ctx)
	}
	return remedy.CommandResult{Command: command, Code: res.Code, Output: res.Output, Ended: res.Killed}, nil
}

// spec is what holds for every command of a service.
func (v *variant) spec(s config.Service, t toolchain.Toolchain, env map[string]string) (sandbox.Spec, error) {
	limits := v.bench.repo.config.Sandbox
	spec := sandbox.Spec{Dir: v.src, Scratch: t.Scratch, ReadOnly: append(t.ReadOnly, v.warm...), Timeout: time.Duration(limits.Timeout), Processes: limits.Processes, Env: map[string]string{}}
	if limits.Memory != "" {
		var err error
		if spec.Memory, err = config.ParseSize(limits.Memory); err != nil {
			return spec, err
		}
	}
	for _, dir := range s.ReadOnly {
		if !filepath.IsAbs(dir) {
			dir = filepath.Join(v.bench.user, dir)
		}
		spec.ReadOnly = append(spec.ReadOnly, dir)
	}
	maps.Copy(spec.Env, t.Env)
	maps.Copy(spec.Env, s.Env)
	maps.Copy(spec.Env, env)
	return spec, nil
}
