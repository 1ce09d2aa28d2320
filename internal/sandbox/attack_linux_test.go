package sandbox

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// attacks is what the candidate inside does when the test binary is run as one.
var attacks = map[string]func(args []string){
	"serve": func(args []string) {
		err := http.ListenAndServe("127.0.0.1:"+args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			io.WriteString(w, "served from inside")
		}))
		fmt.Println(err)
		os.Exit(1)
	},
	"post": func(args []string) {
		size, _ := strconv.Atoi(args[1])
		resp, err := http.Post(args[0], "text/plain", bytes.NewReader(make([]byte, size)))
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		body, _ := io.ReadAll(resp.Body)
		fmt.Println(string(body))
	},
	// hold takes a lock on a file and keeps it for as long as it lives, away from its parent.
	"hold": func(args []string) {
		file, err := os.OpenFile(args[0], os.O_CREATE|os.O_RDWR, 0o644)
		if err == nil {
			err = unix.Flock(int(file.Fd()), unix.LOCK_EX)
		}
		if err == nil {
			err = os.WriteFile(args[0]+".held", nil, 0o644)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		select {}
	},
	// daemonize leaves a process behind that has a session, a group and standard files of its own.
	"daemonize": func(args []string) {
		cmd := exec.Command("/proc/self/exe", "attack", "hold", args[0])
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := cmd.Start(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		for {
			if _, err := os.Stat(args[0] + ".held"); err == nil {
				return
			}
		}
	},
	"map": func(args []string) { // touches memory until it is stopped
		for {
			data, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			for i := 0; i < len(data); i += 4096 {
				data[i] = 1
			}
		}
	},
	"map-shared": func(args []string) {
		for {
			data, err := unix.Mmap(-1, 0, 16<<20, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_SHARED)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			for i := 0; i < len(data); i += 4096 {
				data[i] = 1
			}
		}
	},
	"memfd": func(args []string) {
		for {
			fd, err := unix.MemfdCreate("hoard", 0)
			if err == nil {
				_, err = unix.Write(fd, make([]byte, 16<<20))
			}
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
		}
	},
	"many-maps": func(args []string) { // each child far below the limit, together above it
		for range 8 {
			if err := exec.Command("/proc/self/exe", "attack", "map-some").Start(); err != nil {
				fmt.Println(err)
			}
		}
		select {}
	},
	"map-some": func(args []string) {
		data := make([]byte, 48<<20)
		for i := 0; i < len(data); i += 4096 {
			data[i] = 1
		}
		time.Sleep(time.Hour)
	},
	"signal-init": func(args []string) {
		for sig := syscall.Signal(1); sig < 32; sig++ {
			_ = syscall.Kill(1, sig)
		}
		fmt.Println("signals sent")
		os.Exit(9)
	},
	"dial": func(args []string) {
		conn, err := net.DialTimeout(args[0], args[1], 2*time.Second)
		if err == nil {
			conn.Close()
			fmt.Println("REACHED", args[1])
			return
		}
		fmt.Println(err)
	},
	"interfaces": func(args []string) {
		all, err := net.Interfaces()
		fmt.Println(err)
		for _, i := range all {
			fmt.Println(i.Name)
		}
	},
	// tool is a remediator of its own, to be killed while its candidate runs.
	"tool": func(args []string) {
		s, err := New(Options{Only: Fence(args[0]), AllowWeak: true})
		if err == nil {
			_, err = s.Run(context.Background(), Spec{Dir: args[1], Command: []string{args[2], "attack", "hold", filepath.Join(args[1], "lock")}})
		}
		fmt.Println(err)
	},
	"read-all": func(args []string) { // prints what can be read of the paths
		for _, path := range args {
			data, err := os.ReadFile(path)
			fmt.Printf("%s: %q %v\n", path, data, err != nil)
		}
	},
	"write-all": func(args []string) {
		for _, path := range args {
			file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o644)
			if err == nil {
				_, err = file.WriteString("core\n")
				file.Close()
			}
			if err == nil {
				fmt.Println("WROTE", path)
			}
		}
	},
	"privileges": func(args []string) {
		if err := unix.Unshare(unix.CLONE_NEWUSER); err == nil {
			fmt.Println("GOT a user namespace")
		}
		if err := exec.Command("unshare", "-Ur", "true").Run(); err == nil {
			fmt.Println("GOT a user namespace through unshare")
		}
		if err := unix.Mount("none", "/tmp", "tmpfs", 0, ""); err == nil {
			fmt.Println("GOT a mount")
		}
		if err := unix.Setuid(0); err == nil {
			fmt.Println("GOT root's id")
		}
		if err := unix.PtraceAttach(1); err == nil {
			fmt.Println("GOT the process inside by ptrace")
		}
		if file, err := os.OpenFile("/proc/1/mem", os.O_RDWR, 0); err == nil {
			file.Close()
			fmt.Println("GOT the memory of the process inside")
		}
		for fd := range 16 {
			if target, err := os.Readlink(fmt.Sprintf("/proc/1/fd/%d", fd)); err == nil {
				fmt.Println("GOT a descriptor of the process inside:", target)
			}
		}
		if pidfd, err := unix.PidfdOpen(1, 0); err == nil {
			if _, err := unix.PidfdGetfd(pidfd, controlFD, 0); err == nil {
				fmt.Println("GOT the control socket")
			}
		}
		if file, err := os.Open("/dev/tty"); err == nil {
			file.Close()
			fmt.Println("GOT the terminal")
		}
		status, _ := os.ReadFile("/proc/self/status")
		for line := range strings.Lines(string(status)) {
			if name, value, _ := strings.Cut(line, ":"); strings.HasPrefix(name, "Cap") || name == "NoNewPrivs" {
				fmt.Println(name, strings.TrimSpace(value))
			}
		}
	},
	"descriptors": func(args []string) {
		var st unix.Stat_t
		for fd := 0; fd < 64; fd++ {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			if err == nil && flags&unix.FD_CLOEXEC == 0 && unix.Fstat(fd, &st) == nil {
				fmt.Print(fd, " ") // what Go's runtime opens by itself closes on exec
			}
		}
	},
}

// locked says whether somebody holds the lock of "hold".
func locked(t *testing.T, path string) bool {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil
}

func TestAttackForkBomb(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		spec := shell(t, `f() { f & f & sleep 1000; }; f`)
		spec.Processes = 200
		spec.Timeout = 30 * time.Second
		r := mustRun(t, s, spec)
		// An ordinary user's bomb runs into the kernel's limit, which the shell survives.
		if r.Killed != KilledProcesses && !strings.Contains(r.Output, "fork") {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttackTooManyProcesses(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := shell(t, `i=0; while [ $i -lt 45 ]; do sleep 1000 & i=$((i+1)); done; wait`)
		spec.Processes = 40
		r := mustRun(t, s, spec)
		if r.Killed != KilledProcesses {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttackMemoryBombs(t *testing.T) {
	for _, bomb := range []string{"map", "map-shared", "memfd", "many-maps"} {
		t.Run(bomb, func(t *testing.T) {
			onEachFence(t, true, func(t *testing.T, s *Sandbox) {
				spec := attackSpec(t, bomb)
				spec.Memory = 256 << 20
				r := mustRun(t, s, spec)
				if r.Killed != KilledMemory {
					t.Errorf("got %+v", r)
				}
			})
		})
	}
}

func TestAttackFillTmp(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		spec := shell(t, `head -c 1000000000 /dev/zero > /tmp/a; head -c 1000000000 /dev/zero > /dev/shm/b; sleep 1000`)
		spec.Memory = 64 << 20
		r := mustRun(t, s, spec)
		if r.Killed != KilledMemory {
			t.Errorf("got %+v", r)
		}
	})
}

func TestSharedPagesCountOnce(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		// Forked children share their parent's 100 MB; six of them are far below the limit.
		spec := shell(t, `exec python3 -c '
import os, time
data = bytearray(100 << 20)
for i in range(5):
    if os.fork() == 0:
        time.sleep(0.3)
        os._exit(0)
for i in range(5):
    os.wait()
print("done")'`)
		if _, err := os.Stat("/usr/bin/python3"); err != nil {
			t.Skip("NOT TESTED: no /usr/bin/python3")
		}
		spec.Memory = 300 << 20
		if r := mustRun(t, s, spec); r.Code != 0 || r.Output != "done\n" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttackFillDisk(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := shell(t, `i=0; while :; do head -c 30000000 /dev/zero > f$i; i=$((i+1)); done`)
		spec.Disk = 100 << 20
		r := mustRun(t, s, spec)
		if r.Killed != KilledDisk {
			t.Errorf("many files: %+v", r)
		}
		spec = shell(t, `exec head -c 300000000 /dev/zero > f`)
		spec.Disk = 100 << 20
		if r := mustRun(t, s, spec); r.Code == 0 {
			t.Errorf("one file: %+v", r)
		}
		if info, err := os.Stat(filepath.Join(spec.Dir, "f")); err != nil || info.Size() > spec.Disk {
			t.Errorf("one file: %v, %v", info, err)
		}
	})
}

func TestAttackOutputFlood(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := shell(t, `head -c 50000000 /dev/zero | tr '\0' x; echo; echo the end`)
		spec.Output = 1000
		r := mustRun(t, s, spec)
		if r.Code != 0 || len(r.Output) != 1000 || !strings.HasSuffix(r.Output, "xx\nthe end\n") || r.Dropped != 50000000+9-1000 {
			t.Errorf("kept %d, dropped %d, code %d", len(r.Output), r.Dropped, r.Code)
		}
	})
}

func TestAttackDaemonOutlivesCommand(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		spec := attackSpec(t, "daemonize")
		lock := filepath.Join(spec.Dir, "lock")
		spec.Command = append(spec.Command, lock)
		r := mustRun(t, s, spec)
		if r.Code != 0 || r.Killed != "" {
			t.Fatalf("got %+v", r)
		}
		if locked(t, lock) {
			t.Error("the daemon lives")
		}
	})
}

func TestAttackZombies(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		// Each subshell leaves an orphan. Were they not reaped, they would pile up to the limit.
		spec := shell(t, `i=0; while [ $i -lt 800 ]; do (true &); i=$((i+1)); done; echo done`)
		spec.Processes = 200
		if r := mustRun(t, s, spec); r.Code != 0 || r.Output != "done\n" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttackToolIsKilled(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		dir := t.TempDir()
		tool := exec.Command(self, "attack", "tool", string(s.Fence()), dir, self)
		tool.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
		if err := tool.Start(); err != nil {
			t.Fatal(err)
		}
		lock := filepath.Join(dir, "lock")
		eventually(t, "the candidate runs", func() bool {
			_, err := os.Stat(lock + ".held")
			return err == nil
		})
		if !locked(t, lock) {
			t.Fatal("the candidate does not hold its lock")
		}
		if err := tool.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = tool.Wait()
		eventually(t, "the candidate is gone", func() bool { return !locked(t, lock) })
	})
}

func TestAttackSignalTheProcessInside(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		r := mustRun(t, s, attackSpec(t, "signal-init"))
		if r.Code != 9 || r.Killed != "" || r.Output != "signals sent\n" {
			t.Errorf("got %+v", r)
		}
	})
}

func TestLossOfTheFenceIsNoSuccess(t *testing.T) {
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		p, err := s.Start(context.Background(), shell(t, "sleep 1000"))
		if err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if r := p.Wait(); r.Killed != KilledFence || r.Code != -1 {
			t.Errorf("got %+v", r)
		}
	})
}

func TestAttackReadSecrets(t *testing.T) {
	t.Setenv("REMEDIATOR_CANARY", "canary-in-env")
	home, err := os.UserHomeDir()
	if err != nil {
		t.Skip("NOT TESTED: no home directory")
	}
	homeFile, err := os.CreateTemp(home, ".canary-*")
	if err != nil {
		home = t.TempDir()
		homeFile, err = os.CreateTemp(home, ".canary-*")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(homeFile.Name())
	fmt.Fprint(homeFile, "canary-in-home")
	homeFile.Close()
	tmp := filepath.Join(t.TempDir(), "canary")
	if err := os.WriteFile(tmp, []byte("canary-in-tmp"), 0o644); err != nil {
		t.Fatal(err)
	}
	cwd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	own := strconv.Itoa(os.Getpid())
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		for _, path := range []string{
			homeFile.Name(), tmp, filepath.Join(cwd, "doc.go"), "/proc/1/environ", "/proc/1/cmdline", "/proc/self/environ",
			"/proc/" + own + "/environ", "/etc/shadow", "/etc/gitconfig", "/proc/1/root" + homeFile.Name(),
			"/proc/self/root" + homeFile.Name(), "/proc/1/cwd/" + homeFile.Name(),
		} {
			r := mustRun(t, s, attackSpec(t, "read-all", path))
			if strings.Contains(r.Output, "canary-in") || strings.Contains(r.Output, "root:") {
				t.Errorf("%s: %s", path, r.Output)
			}
		}
		r := mustRun(t, s, shell(t, "ls -A /root /home /run /sys /mnt /media /srv /boot 2>/dev/null | grep -v : | grep -v '^$'; ls -A / | sort | tr '\\n' ' '"))
		for name := range strings.FieldsSeq(r.Output) {
			switch name {
			case "bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "nix", "proc", "root", "run", "sbin", "tmp", "usr", "var":
			default:
				if !strings.HasPrefix(os.TempDir(), "/"+name) && !strings.HasPrefix(s.self, "/"+name+"/") {
					t.Errorf("%q is visible: %s", name, r.Output)
				}
			}
		}
	})
}

func TestAttackWriteOutside(t *testing.T) {
	pattern, err := os.ReadFile("/proc/sys/kernel/core_pattern")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	shown := t.TempDir()
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		spec := attackSpec(t, "write-all", "/usr/written", "/usr/bin/sh", "/etc/written", "/etc/passwd", "/written", "/root/written",
			"/home/written", "/run/written", "/var/written", "/dev/written", "/lib/written", "/proc/written",
			"/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
			"/proc/sys/kernel/hostname", "/sys/written", self, filepath.Join(shown, "written"))
		spec.ReadOnly = []string{shown}
		r := mustRun(t, s, spec)
		if r.Code != 0 || r.Output != "" {
			t.Errorf("got %+v", r)
		}
	})
	if now, err := os.ReadFile("/proc/sys/kernel/core_pattern"); err != nil || !bytes.Equal(now, pattern) {
		t.Fatalf("core_pattern is now %q, was %q (%v)", now, pattern, err)
	}
}

func TestAttackSymlinks(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		outside := t.TempDir()
		secret := filepath.Join(outside, "secret")
		if err := os.WriteFile(secret, []byte("canary"), 0o644); err != nil {
			t.Fatal(err)
		}
		spec := shell(t, fmt.Sprintf("ln -s %s link; ln -s %s cache; cat link; echo overwritten > link; echo x > cache/new; true", secret, outside))
		r := mustRun(t, s, spec)
		if strings.Contains(r.Output, "canary") {
			t.Errorf("read through a link: %s", r.Output)
		}
		// The next run would be asked to use what the first one turned into a link.
		for name, change := range map[string]func(*Spec, string){
			"scratch":   func(sp *Spec, p string) { sp.Scratch = []string{p} },
			"read-only": func(sp *Spec, p string) { sp.ReadOnly = []string{p} },
		} {
			next := shell(t, "ls "+spec.Dir+"/cache; echo x > "+spec.Dir+"/cache/new")
			next.Dir = spec.Dir
			change(&next, filepath.Join(spec.Dir, "cache"))
			if _, err := s.Run(context.Background(), next); err == nil || !strings.Contains(err.Error(), "symbolic link") {
				t.Errorf("%s: %v", name, err)
			}
		}
		if data, err := os.ReadFile(secret); err != nil || string(data) != "canary" {
			t.Errorf("secret is now %q, %v", data, err)
		}
		if _, err := os.Stat(filepath.Join(outside, "new")); err == nil {
			t.Error("wrote through a link")
		}
	})
}

func TestAttackReachHostNetwork(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	abstract, err := net.Listen("unix", "@remediator-test-"+strconv.Itoa(os.Getpid()))
	if err != nil {
		t.Fatal(err)
	}
	defer abstract.Close()
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		for network, address := range map[string]string{
			"tcp": l.Addr().String(), "unix": abstract.Addr().String(), "tcp4": "169.254.169.254:80", "udp": "192.0.2.1:53",
		} {
			r := mustRun(t, s, attackSpec(t, "dial", network, address))
			if r.Code != 0 || strings.Contains(r.Output, "REACHED") || r.Output == "" {
				t.Errorf("%s %s: %+v", network, address, r)
			}
		}
		if r := mustRun(t, s, attackSpec(t, "interfaces")); r.Output != "<nil>\nlo\n" {
			t.Errorf("interfaces: %q", r.Output)
		}
	})
}

func TestAttackGainPrivileges(t *testing.T) {
	onEachFence(t, false, func(t *testing.T, s *Sandbox) {
		r := mustRun(t, s, attackSpec(t, "privileges"))
		if strings.Contains(r.Output, "GOT") {
			t.Error(r.Output)
		}
		for _, name := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
			if !strings.Contains(r.Output, name+" 0000000000000000\n") {
				t.Errorf("%s is not empty: %s", name, r.Output)
			}
		}
		if !strings.Contains(r.Output, "NoNewPrivs 1\n") {
			t.Error(r.Output)
		}
	})
}

func TestAttackInheritedDescriptors(t *testing.T) {
	// As a shell or a supervisor leaves it open: it would lead to the whole file system.
	root, err := unix.Open("/", unix.O_RDONLY|unix.O_DIRECTORY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(root)
	onEachFence(t, true, func(t *testing.T, s *Sandbox) {
		if r := mustRun(t, s, attackSpec(t, "descriptors")); r.Output != "0 1 2 " {
			t.Errorf("got %q", r.Output)
		}
	})
}

// As root all of the above could rest on root's rights, as an ordinary user on the lack of them; so
// where this runs as root it runs again as an ordinary user.
func TestAsAnOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("NOT TESTED: not root, so all other tests did this already")
	}
	if testing.Short() {
		t.Skip("NOT TESTED: short")
	}
	const nobody = 65534
	dir, err := os.MkdirTemp("", "remediator-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "sandbox.test")
	if err := os.WriteFile(copied, data, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, copied} {
		if err := os.Chown(path, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command(copied, "-test.run", "^Test(Attack|Run|Writable|Inbound|Outbound|Timeout|Stop|Loss)", "-test.v")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + dir, "HOME=" + dir}
	cmd.Dir = dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, "NOT TESTED") {
			t.Log(strings.TrimSpace(line))
		}
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if n := strings.Count(string(out), "--- PASS: TestAttack"); n < 15 {
		t.Errorf("only %d attacks were tested", n)
	}
}
