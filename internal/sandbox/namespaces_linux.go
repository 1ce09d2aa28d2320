package sandbox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// namespaceAttr starts a process in namespaces of its own, with the capabilities there that
// building the fence takes. Inside it is an ordinary user, so that the next exec loses them.
func namespaceAttr(uid, gid int) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{
		Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET |
			unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 1000, HostID: gid, Size: 1}},
		AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE},
		Pdeathsig:   syscall.SIGKILL,
	}
}

// enterNamespaces builds the fence around the calling process and becomes the process inside. It
// returns only with an error.
func enterNamespaces() error {
	s, err := readSetup()
	if err != nil {
		return err
	}
	if err := closeInherited(); err != nil {
		return err
	}
	if err := loopbackUp(); err != nil {
		return fmt.Errorf("bring the loopback up: %w", err)
	}
	if err := unix.Sethostname([]byte("sandbox")); err != nil {
		return fmt.Errorf("host name: %w", err)
	}
	// No further user namespaces: each would put more of the kernel within reach.
	if err := os.WriteFile("/proc/sys/user/max_user_namespaces", []byte("0"), 0o644); err != nil {
		return fmt.Errorf("forbid further user namespaces: %w", err)
	}
	root := filepath.Join(s.Private, "root")
	if err := os.Mkdir(root, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("make mounts private: %w", err)
	}
	if err := unix.Mount("sandbox", root, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=4m"); err != nil {
		return fmt.Errorf("mount the root: %w", err)
	}
	for _, m := range s.Mounts {
		if err := m.apply(root); err != nil {
			return fmt.Errorf("mount %s: %w", m.Dest, err)
		}
	}
	if err := os.Chdir(root); err != nil {
		return err
	}
	// Both at one place, so that the old root lies on top and can be taken off (pivot_root(2), "pivot_root(".", ".")").
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("change the root: %w", err)
	}
	if err := unix.Unmount(".", unix.MNT_DETACH); err != nil {
		return fmt.Errorf("take the old root off: %w", err)
	}
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if err := dropCapabilities(); err != nil {
		return err
	}
	return fmt.Errorf("start again inside: %w", unix.Exec("/proc/self/exe", []string{os.Args[0], argInit}, []string{}))
}

func (m mount) apply(root string) error {
	dest := filepath.Join(root, m.Dest)
	const quiet = unix.MS_NOSUID | unix.MS_NODEV
	switch m.Kind {
	case mountReadOnly, mountWritable:
		return bind(m.Source, dest, m.Kind == mountReadOnly, false)
	case mountTmpfs:
		if err := os.MkdirAll(dest, 0o755); err != nil {
			return err
		}
		return unix.Mount("tmpfs", dest, "tmpfs", quiet, fmt.Sprintf("mode=1777,size=%d", m.Size))
	case mountEmpty:
		return os.MkdirAll(dest, 0o755)
	case mountSymlink:
		if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
			return err
		}
		return os.Symlink(m.Source, dest)
	case mountProc:
		return mountProcAt(dest)
	case mountDev:
		return mountDevAt(dest)
	case mountSeal:
		return unix.MountSetattr(unix.AT_FDCWD, dest, 0, &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY})
	}
	return fmt.Errorf("unknown kind of mount %q", m.Kind)
}

// bind shows source at dest. The flags are set by mount_setattr(2), which reaches the mounts below as
// well; the older remount leaves those writable.
func bind(source, dest string, readOnly, device bool) error {
	info, err := os.Stat(source)
	if err != nil {
		return err
	}
	if err := mountPoint(dest, info.IsDir()); err != nil {
		return err
	}
	if err := unix.Mount(source, dest, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	attr := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID}
	if !device {
		attr.Attr_set |= unix.MOUNT_ATTR_NODEV
	}
	if readOnly {
		attr.Attr_set |= unix.MOUNT_ATTR_RDONLY
	}
	err = unix.MountSetattr(unix.AT_FDCWD, dest, unix.AT_RECURSIVE, &attr)
	if errors.Is(err, unix.ENOSYS) {
		return errors.New("the kernel is older than 5.12; install bubblewrap instead")
	}
	return err
}

// mountPoint makes what is missing. What exists is left alone: it may lie in a directory
// that is shown read-only.
func mountPoint(dest string, dir bool) error {
	if _, err := os.Lstat(dest); err == nil {
		return nil
	}
	if dir {
		return os.MkdirAll(dest, 0o755)
	}
	if err := os.MkdirAll(filepath.Dir(dest), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(dest, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	return file.Close()
}

func mountProcAt(dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("proc", dest, "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, ""); err != nil {
		return fmt.Errorf("%w (a container that masks parts of /proc forbids this; start it with an unmasked /proc, as docker's --security-opt systempaths=unconfined does)", err)
	}
	for _, name := range procCovers {
		path := filepath.Join(dest, name)
		info, err := os.Stat(path)
		if err != nil {
			continue
		}
		source := path
		if !info.IsDir() {
			source = os.DevNull
		}
		if err := bind(source, path, true, !info.IsDir()); err != nil {
			return fmt.Errorf("cover %s: %w", name, err)
		}
	}
	return nil
}

func mountDevAt(dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	if err := unix.Mount("dev", dest, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode=0755,size=64k"); err != nil {
		return err
	}
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		if err := bind(filepath.Join("/dev", name), filepath.Join(dest, name), false, true); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	for name, text := range map[string]string{
		"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2", "ptmx": "pts/ptmx",
	} {
		if err := os.Symlink(text, filepath.Join(dest, name)); err != nil {
			return err
		}
	}
	for _, name := range []string{"pts", "shm"} {
		if err := os.Mkdir(filepath.Join(dest, name), 0o755); err != nil {
			return err
		}
	}
	err := unix.Mount("devpts", filepath.Join(dest, "pts"), "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=620")
	if err != nil {
		return fmt.Errorf("terminals: %w", err)
	}
	return nil
}

// dropCapabilities leaves the calling thread, the only one that survives the exec, with none, and
// no way to get any.
func dropCapabilities() error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("no new privileges: %w", err)
	}
	if err := unix.Prctl(unix.PR_CAP_AMBIENT, unix.PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0); err != nil {
		return fmt.Errorf("clear ambient capabilities: %w", err)
	}
	for c := uintptr(0); c < 64; c++ {
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return fmt.Errorf("drop capability %d: %w", c, err)
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var none [2]unix.CapUserData
	if err := unix.Capset(&header, &none[0]); err != nil {
		return fmt.Errorf("drop capabilities: %w", err)
	}
	return nil
}

// loopbackUp does what `ip link set lo up` does.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	req, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	req.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, req)
}
