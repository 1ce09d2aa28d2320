package benchmark

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
)

// statements are log statements as programs have them; each %-part is filled anew for every line.
var statements = []string{
	"Accepted connection from %ip on port %n",
	"Closed connection from %ip after %n ms",
	"GET /journeys/%n answered 200 in %n ms",
	"POST /bookings answered 201 in %n ms for member %user",
	"session %uuid of %user expires in %n s",
	"cache miss for key %hex, loading from %path",
	"cache evicted %n entries, %n MB free",
	"query on table stops took %n ms and returned %n rows",
	"query on table tickets took %n ms and returned %n rows",
	"worker %n picked task %uuid from queue departures",
	"worker %n finished task %uuid after %n attempts",
	"retrying call to %host in %n ms: connection refused",
	"configuration reloaded from %path with %n keys",
	"Received block %hex of size %n from %ip",
	"Deleting block %hex file %path",
	"user %user logged in from %ip",
	"authentication of %user failed: wrong password, attempt %n of 5",
	"heartbeat from node %host missed for %n s",
	"node %host joined the cluster as member %n",
	"leader elected: %host, term %n",
	"snapshot %hex written to %path (%n bytes)",
	"rejecting request of %user: quota of %n exceeded",
	"scheduled train %n moved from platform %n to platform %n",
	"memory pressure: heap at %n MB of %n MB",
	"garbage collection took %n ms, freed %n MB",
	"message %uuid published to topic board.updates partition %n offset %n",
	"consumer lag on topic board.updates is %n",
	"certificate of %host expires in %n days",
	"opened file %path for reading",
	"permission denied: %user may not open %path",
	"time-out after %n ms waiting for %host",
	"rate limit for client %ip raised to %n per second",
}

// Lines makes log lines and names the statement that each came from.
func Lines(n int) (lines []string, statement []int) {
	rng := rand.New(rand.NewPCG(11, 11))
	for range n {
		// A few statements write most lines, as everywhere.
		at := min(int(rng.ExpFloat64()*float64(len(statements))/4), len(statements)-1)
		lines = append(lines, fill(rng, statements[at]))
		statement = append(statement, at)
	}
	return lines, statement
}

func fill(rng *rand.Rand, statement string) string {
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(statement, "%")
		b.WriteString(before)
		if !ok {
			return b.String()
		}
		for _, p := range parts {
			if after, is := strings.CutPrefix(rest, p.name); is {
				b.WriteString(p.make(rng))
				rest = after
				break
			}
		}
		statement = rest
	}
}

// parts are the variable parts of lines, longer names before those that begin like them.
var parts = []struct {
	name string
	make func(*rand.Rand) string
}{
	{"ip", func(r *rand.Rand) string { return fmt.Sprintf("10.%d.%d.%d", r.IntN(4), r.IntN(256), r.IntN(256)) }},
	{"uuid", func(r *rand.Rand) string {
		return fmt.Sprintf("%08x-%04x-4%03x-a%03x-%012x", r.Uint32(), r.IntN(1<<16), r.IntN(1<<12), r.IntN(1<<12), r.Uint64()>>16)
	}},
	{"user", func(r *rand.Rand) string {
		return [...]string{"amara", "bjorn", "chen", "dalia", "emeka", "fatou"}[r.IntN(6)]
	}},
	{"hex", func(r *rand.Rand) string { return fmt.Sprintf("blk_%016x", r.Uint64()) }},
	{"host", func(r *rand.Rand) string { return fmt.Sprintf("node-%d.rail.internal", r.IntN(40)) }},
	{"path", func(r *rand.Rand) string {
		return fmt.Sprintf("/var/lib/rail/%d/part-%05d", r.IntN(30), r.IntN(100000))
	}},
	{"n", func(r *rand.Rand) string { return strconv.Itoa(r.IntN(10000)) }},
}
