package sandbox

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// mountKind is what appears at one place inside.
type mountKind string

const (
	mountReadOnly mountKind = "ro"      // Source, read-only
	mountWritable mountKind = "rw"      // Source, writable
	mountTmpfs    mountKind = "tmpfs"   // empty, in memory, Size bytes, writable by anyone
	mountEmpty    mountKind = "empty"   // an empty directory of the root
	mountSymlink  mountKind = "symlink" // Source is the text of the link
	mountProc     mountKind = "proc"    // of the new process namespace, the kernel's switches covered
	mountDev      mountKind = "dev"     // null, zero, full, random, urandom, terminals
	mountSeal     mountKind = "seal"    // what is mounted here by now becomes read-only
)

// mount is one step of building the file system inside, in order.
type mount struct {
	Kind   mountKind
	Source string `json:",omitempty"`
	Dest   string
	Size   int64 `json:",omitempty"`
}

// The file system inside. Only these of /etc are shown: the rest of it may hold passwords,
// credential helpers of git, or addresses of internal hosts.
var (
	systemDirs = []string{"/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store"}
	etcEntries = []string{
		"alternatives", "ca-certificates", "crypto-policies", "debian_version", "fonts", "java*", "ld.so.cache",
		"ld.so.conf", "ld.so.conf.d", "localtime", "maven", "mime.types", "os-release", "perl", "pki/ca-trust",
		"pki/java", "pki/tls/certs", "protocols", "python3*", "services", "ssl/certs", "ssl/openssl.cnf", "timezone",
	}
	etcFiles = map[string]string{
		"passwd":        "sandbox:x:1000:1000:sandbox:/tmp:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
		"group":         "sandbox:x:1000:\nnogroup:x:65534:\n",
		"hosts":         "127.0.0.1 localhost sandbox\n::1 localhost\n",
		"hostname":      "sandbox\n",
		"nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
		"resolv.conf":   "",
	}
)

// procCovers are files and directories of /proc that the kernel guards by user id alone. Where the tool
// runs as root the candidate has root's id outside, and could set core_pattern through them
// although it holds no capability; bubblewrap leaves /proc/sys open to that.
var procCovers = []string{"sys", "sysrq-trigger", "irq", "bus", "fs", "acpi", "scsi"}

// plan is the file system of a Spec. self is this binary, private a directory for the generated files.
func plan(spec Spec, self, private string) ([]mount, error) {
	if err := os.Mkdir(filepath.Join(private, "etc"), 0o755); err != nil {
		return nil, err
	}
	mounts := []mount{
		{Kind: mountProc, Dest: "/proc"},
		{Kind: mountDev, Dest: "/dev"},
		{Kind: mountTmpfs, Dest: "/dev/shm", Size: spec.Memory},
		{Kind: mountSeal, Dest: "/dev"},
		{Kind: mountTmpfs, Dest: "/tmp", Size: spec.Memory},
		{Kind: mountEmpty, Dest: "/run"},
		{Kind: mountEmpty, Dest: "/root"},
		{Kind: mountEmpty, Dest: "/home"},
		{Kind: mountEmpty, Dest: "/var"},
		{Kind: mountSymlink, Dest: "/var/tmp", Source: "../tmp"},
		{Kind: mountSymlink, Dest: "/var/run", Source: "../run"},
	}
	for _, dir := range systemDirs {
		info, err := os.Lstat(dir)
		if err != nil {
			continue
		}
		if info.Mode()&os.ModeSymlink != 0 {
			text, err := os.Readlink(dir)
			if err != nil {
				return nil, err
			}
			mounts = append(mounts, mount{Kind: mountSymlink, Dest: dir, Source: text})
			continue
		}
		mounts = append(mounts, mount{Kind: mountReadOnly, Dest: dir, Source: dir})
	}
	for _, entry := range etcEntries {
		found, err := filepath.Glob("/etc/" + entry)
		if err != nil {
			return nil, err
		}
		for _, path := range found {
			source, err := filepath.EvalSymlinks(path)
			if err != nil {
				continue // a dangling link of the host would dangle inside too
			}
			mounts = append(mounts, mount{Kind: mountReadOnly, Dest: path, Source: source})
		}
	}
	for _, name := range sortedKeys(etcFiles) {
		source := filepath.Join(private, "etc", name)
		if err := os.WriteFile(source, []byte(etcFiles[name]), 0o444); err != nil {
			return nil, err
		}
		mounts = append(mounts, mount{Kind: mountReadOnly, Dest: "/etc/" + name, Source: source})
	}
	own, err := ownMounts(spec)
	if err != nil {
		return nil, err
	}
	mounts = append(mounts, own...)
	if self != "" {
		mounts = append(mounts, mount{Kind: mountReadOnly, Dest: self, Source: self})
	}
	return append(mounts, mount{Kind: mountSeal, Dest: "/"}), nil
}

// ownMounts are the directories that the Spec names, outer ones first so that an inner one
// is not buried.
func ownMounts(spec Spec) ([]mount, error) {
	var own []mount
	add := func(kind mountKind, what, path string) error {
		dest, source, err := spec.admit(path)
		if err != nil {
			return fmt.Errorf("%s %q: %w", what, path, err)
		}
		own = append(own, mount{Kind: kind, Dest: dest, Source: source})
		return nil
	}
	for _, dir := range spec.ReadOnly {
		if err := add(mountReadOnly, "read-only directory", dir); err != nil {
			return nil, err
		}
	}
	if err := add(mountWritable, "working copy", spec.Dir); err != nil {
		return nil, err
	}
	for _, dir := range spec.Scratch {
		if err := add(mountWritable, "scratch directory", dir); err != nil {
			return nil, err
		}
	}
	// Stable: of two for one place the later, which is the writable one, wins.
	slices.SortStableFunc(own, func(a, b mount) int {
		return strings.Count(a.Dest, "/") - strings.Count(b.Dest, "/")
	})
	return own, nil
}

// admit checks a directory that is to be shown. It returns where it appears and where it really is.
//
// A path below the working copy or a scratch directory may have been made by the
// candidate code of an earlier run: a symbolic link there would have the fence show, perhaps
// writable, whatever it points at.
func (spec Spec) admit(path string) (dest, source string, err error) {
	if !filepath.IsAbs(path) {
		return "", "", errors.New("not an absolute path")
	}
	dest = filepath.Clean(path)
	for _, writable := range append([]string{spec.Dir}, spec.Scratch...) {
		writable = filepath.Clean(writable)
		rel, err := filepath.Rel(writable, dest)
		if err != nil || rel == "." || !filepath.IsLocal(rel) {
			continue
		}
		at := writable
		for part := range strings.SplitSeq(rel, string(filepath.Separator)) {
			at = filepath.Join(at, part)
			info, err := os.Lstat(at)
			if err != nil {
				return "", "", err
			}
			if info.Mode()&os.ModeSymlink != 0 {
				return "", "", fmt.Errorf("%s is a symbolic link in a writable directory; candidate code could have made it, so remove it", at)
			}
		}
	}
	source, err = filepath.EvalSymlinks(dest)
	if err != nil {
		return "", "", err
	}
	info, err := os.Stat(source)
	if err != nil {
		return "", "", err
	}
	if !info.IsDir() {
		return "", "", errors.New("not a directory")
	}
	for _, shown := range []string{dest, source} {
		if why := tooBroad(shown); why != "" {
			return "", "", fmt.Errorf("refused: it %s; name a directory further down", why)
		}
	}
	return dest, source, nil
}

// tooBroad says why a directory may not be shown at all, "" when it may.
func tooBroad(path string) string {
	for _, top := range []string{"/proc", "/sys", "/dev", "/run", "/var/run"} {
		if path == top || strings.HasPrefix(path, top+"/") {
			return "belongs to the kernel or to running services"
		}
	}
	for _, top := range []string{"/", "/etc", "/home", "/root", "/tmp", "/var", "/usr", "/bin", "/lib", "/opt", "/var/tmp"} {
		if path == top {
			return "holds other things than the candidate's"
		}
	}
	if home, err := os.UserHomeDir(); err == nil && path == filepath.Clean(home) {
		return "is the home directory"
	}
	return ""
}

// bubblewrapArgs writes the plan as bwrap's options.
func bubblewrapArgs(mounts []mount) []string {
	args := []string{
		// --unshare-user is not implied where the tool runs as root, and without it root's capabilities stay.
		"--unshare-user", "--unshare-all", "--disable-userns", "--uid", "1000", "--gid", "1000",
		"--hostname", "sandbox", "--cap-drop", "ALL", "--as-pid-1",
		"--die-with-parent", "--new-session",
	}
	for _, m := range mounts {
		switch m.Kind {
		case mountReadOnly:
			args = append(args, "--ro-bind", m.Source, m.Dest)
		case mountWritable:
			args = append(args, "--bind", m.Source, m.Dest)
		case mountTmpfs:
			args = append(args, "--size", strconv.FormatInt(m.Size, 10), "--perms", "1777", "--tmpfs", m.Dest)
		case mountEmpty:
			args = append(args, "--dir", m.Dest)
		case mountSymlink:
			args = append(args, "--symlink", m.Source, m.Dest)
		case mountProc:
			args = append(args, "--proc", m.Dest)
			for _, name := range procCovers {
				path := filepath.Join("/proc", name)
				if info, err := os.Stat(path); err == nil && info.IsDir() {
					args = append(args, "--ro-bind", path, path)
				} else if err == nil {
					args = append(args, "--ro-bind", "/dev/null", path)
				}
			}
		case mountDev:
			args = append(args, "--dev", m.Dest)
		case mountSeal:
			args = append(args, "--remount-ro", m.Dest)
		}
	}
	return args
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	keys := make([]K, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
