package sandbox

import (
	"bytes"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// The watcher's pace. A process that does nothing but touch new pages gets some 50 MB
// further in one interval, and one that does nothing but fork some hundred processes.
const (
	watchInside = 20 * time.Millisecond
	watchHost   = 100 * time.Millisecond // without a process namespace all of the machine's processes are read
)

// watch enforces what no rlimit can: memory and number of the whole tree. (A control group
// would, but it takes rights that a user or a container rarely has.)
func (v *supervisor) watch() {
	pace := watchInside
	if v.setup.Fence == FenceNone {
		pace = watchHost
	}
	shared := machineShmem()
	for range time.Tick(pace) {
		var pids []int
		if v.setup.Fence == FenceNone {
			pids = descendants(os.Getpid())
		} else {
			pids = others(os.Getpid())
		}
		// Beyond any doubt, and too many to read them all. Some of the others may be dead and just
		// not reaped yet.
		if len(pids) > 4*v.setup.Processes {
			v.kill(KilledProcesses)
			continue
		}
		tasks, memory := 0, int64(0)
		for _, pid := range pids {
			u := usageOf(pid)
			tasks += u.threads
			memory += u.memory
		}
		memory += v.tmpfs()
		if machineShmem() > shared+v.setup.Memory/4 {
			memory += unmapped(pids)
		}
		switch {
		case tasks > v.setup.Processes:
			v.kill(KilledProcesses)
		case memory > v.setup.Memory && v.proportional(pids) > v.setup.Memory:
			v.kill(KilledMemory)
		}
	}
}

// proportional is the exact sum: pages that processes share count once. It takes milliseconds where
// the plain sum takes microseconds, so it is asked for only when the plain sum is too large.
func (v *supervisor) proportional(pids []int) int64 {
	var sum int64
	for _, pid := range pids {
		data, err := os.ReadFile(procPath(pid, "smaps_rollup"))
		if pss, ok := statusBytes(data, "Pss:"); err == nil && ok {
			file, _ := statusBytes(data, "Pss_File:")
			sum += pss - file
			continue
		}
		sum += usageOf(pid).memory // gone, or hidden by the process itself
	}
	return sum + v.tmpfs() + unmapped(pids)
}

// tmpfs is what the tree keeps in its private file systems.
func (v *supervisor) tmpfs() int64 {
	if v.setup.Fence == FenceNone {
		return 0 // the machine's own; not the tree's alone
	}
	return held("/tmp") + held("/dev/shm")
}

// machineShmem is the shared memory of the whole machine. It is read to know when to look for memory
// that belongs to no address space.
func machineShmem() int64 {
	data, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	n, _ := statusBytes(data, "Shmem:")
	return n
}

// unmapped is memory in files without a name (memfd_create(2)), which can be filled without being mapped
// and then is part of no process's resident set. Each file counts once.
func unmapped(pids []int) int64 {
	seen := map[uint64]bool{}
	var sum int64
	for _, pid := range pids {
		dir, err := os.Open(procPath(pid, "fd"))
		if err != nil {
			continue
		}
		names, _ := dir.Readdirnames(-1)
		dir.Close()
		for _, name := range names {
			path := procPath(pid, "fd/"+name)
			if target, err := os.Readlink(path); err != nil || !strings.HasPrefix(target, "/memfd:") {
				continue
			}
			var st unix.Stat_t
			if err := unix.Stat(path, &st); err == nil && !seen[st.Ino] {
				seen[st.Ino] = true
				sum += st.Blocks * 512
			}
		}
	}
	return sum
}

type usage struct {
	threads int   // none for a zombie, which holds nothing but its number
	memory  int64 // resident bytes that are not backed by a file
}

// usageOf is zero for a process that is gone.
func usageOf(pid int) usage {
	data, err := os.ReadFile(procPath(pid, "status"))
	if err != nil {
		return usage{}
	}
	if state, _ := statusField(data, "State:"); state == "Z" || state == "X" {
		return usage{}
	}
	anon, _ := statusBytes(data, "RssAnon:")
	shm, _ := statusBytes(data, "RssShmem:")
	swap, _ := statusBytes(data, "VmSwap:")
	threads := 1
	if field, ok := statusField(data, "Threads:"); ok {
		if n, err := strconv.Atoi(field); err == nil {
			threads = n
		}
	}
	return usage{threads: threads, memory: anon + shm + swap}
}

// statusField is the first word after a key of /proc/PID/status and files like it.
func statusField(data []byte, key string) (string, bool) {
	for line := range bytes.Lines(data) {
		if rest, ok := bytes.CutPrefix(line, []byte(key)); ok {
			if fields := bytes.Fields(rest); len(fields) > 0 {
				return string(fields[0]), true
			}
		}
	}
	return "", false
}

// statusBytes is a field that is given in kB.
func statusBytes(data []byte, key string) (int64, bool) {
	field, ok := statusField(data, key)
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseInt(field, 10, 64)
	return n << 10, err == nil
}

// held is what a file system in memory holds.
func held(path string) int64 {
	var fs unix.Statfs_t
	if err := unix.Statfs(path, &fs); err != nil || fs.Type != unix.TMPFS_MAGIC {
		return 0
	}
	return int64(fs.Blocks-fs.Bfree) * fs.Bsize
}

// others are all processes of this namespace but self.
func others(self int) []int {
	dir, err := os.Open("/proc")
	if err != nil {
		return nil
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil && pid != self {
			pids = append(pids, pid)
		}
	}
	return pids
}

// descendants are the processes below self, zombies left out: those hold nothing.
func descendants(self int) []int {
	children := map[int][]int{}
	for _, pid := range others(self) {
		data, err := os.ReadFile(procPath(pid, "stat"))
		if err != nil {
			continue
		}
		// The name stands in parentheses and may hold anything, so the fields start after the last one.
		_, rest, ok := cutLast(data, ')')
		fields := bytes.Fields(rest)
		if !ok || len(fields) < 2 || fields[0][0] == 'Z' || fields[0][0] == 'X' {
			continue
		}
		if parent, err := strconv.Atoi(string(fields[1])); err == nil {
			children[parent] = append(children[parent], pid)
		}
	}
	var found []int
	queue := children[self]
	for len(queue) > 0 {
		pid := queue[0]
		queue = append(queue[1:], children[pid]...)
		found = append(found, pid)
	}
	return found
}

func cutLast(data []byte, sep byte) (before, after []byte, ok bool) {
	i := bytes.LastIndexByte(data, sep)
	if i < 0 {
		return data, nil, false
	}
	return data[:i], data[i+1:], true
}

func procPath(pid int, file string) string {
	return "/proc/" + strconv.Itoa(pid) + "/" + file
}
