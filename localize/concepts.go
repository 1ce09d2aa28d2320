package localize

import (
	"math"
	"slices"
)

// concept ties words that failures of one class show in telemetry to words that code of that
// class has. The classes follow studies of production incidents and cloud bugs: Gunawi et al.,
// What Bugs Live in the Cloud? (SoCC 2014), Liu et al., What Bugs Cause Production Cloud
// Incidents? (HotOS 2019), and the failure patterns of Nygard, Release It! (2018).
type concept struct {
	name    string
	ripens  bool     // takes time to show after the change
	symptom []string // in messages, metric and span names
	code    []string // in changed lines and paths
}

// concepts are stemmed on use.
var concepts = []concept{
	{"retry", false, []string{"retry", "retries", "attempt", "attempts", "exhausted", "backoff", "burst"},
		[]string{"retry", "retries", "attempt", "attempts", "backoff", "jitter", "sleep", "delay"}},
	{"timeout", false, []string{"timeout", "timed", "deadline", "exceeded", "hang", "unbounded"},
		[]string{"timeout", "deadline", "cancel", "withtimeout", "timeouts"}},
	{"pool", false, []string{"pool", "connection", "connections", "conns", "acquire", "exhausted", "pending", "saturated"},
		[]string{"pool", "conns", "conn", "connections", "maxconns", "maxopen", "overflow", "semaphore", "workers", "concurrency"}},
	{"null", false, []string{"nil", "null", "none", "nonetype", "dereference", "pointer", "undefined", "attributeerror", "nullpointerexception", "typeerror", "keyerror"},
		[]string{"nil", "null", "none", "undefined", "optional"}},
	{"query", false, []string{"query", "queries", "select", "statement", "sql", "rows"},
		[]string{"query", "queries", "select", "queryrow", "sql", "fetch", "find", "load", "prefetch", "join", "execute"}},
	{"schema", false, []string{"relation", "column", "table", "exist", "migration", "programmingerror", "undefinedtable"},
		[]string{"select", "insert", "column", "table", "migration", "alter", "from"}},
	{"cache", true, []string{"cache", "hit", "miss", "evict", "eviction", "stampede", "ttl"},
		[]string{"cache", "ttl", "expire", "expiry", "evict", "invalidate"}},
	{"volume", true, []string{"disk", "space", "device", "debug", "volume", "rotate", "trace"},
		[]string{"level", "debug", "sample", "sampling", "rotate", "retention", "verbose"}},
	{"credential", true, []string{"token", "jwt", "expired", "unauthorized", "auth", "forbidden", "signature", "certificate", "credential", "tls"},
		[]string{"token", "jwt", "exp", "expired", "expiry", "leeway", "skew", "auth", "verify", "verifier", "cert", "audience", "claims"}},
	{"registration", false, []string{"missing", "unknown", "unregistered", "lookup", "registry", "found", "nosuch"},
		[]string{"register", "registry", "seed", "init", "bootstrap", "provide", "bind", "import"}},
	{"batch", false, []string{"throttled", "throttle", "throughput", "capacity", "provisioned", "quota", "throughputexceeded", "batch", "batching", "batched"},
		[]string{"batch", "chunk", "bulk", "limit", "rate", "put", "chunkitems", "batching"}},
	{"memory", true, []string{"memory", "heap", "oom", "gc", "leak", "outofmemory", "rss"},
		[]string{"buffer", "append", "cache", "close", "free", "allocate", "leak", "retain"}},
	{"lock", false, []string{"deadlock", "lock", "contention", "blocked", "mutex"},
		[]string{"lock", "mutex", "synchronized", "unlock", "rwmutex"}},
	{"parsing", false, []string{"parse", "invalid", "malformed", "decode", "unmarshal", "validation", "range", "format"},
		[]string{"parse", "decode", "unmarshal", "validate", "regex", "format", "range"}},
	{"name", false, []string{"dns", "resolve", "resolver", "enotfound", "servfail", "unreachable", "refused", "addresses", "host"},
		[]string{"dns", "resolver", "endpoint", "host", "address", "url"}},
}

// takesTime says that what is seen is most of all of a class of failure that shows long after its
// cause went live: what fills, leaks, runs dry or expires.
func takesTime(symptom map[string]float64) bool {
	best, ripens := 0.0, false
	for i := range concepts {
		if v := symptom[concepts[i].name]; v > best {
			best, ripens = v, concepts[i].ripens
		}
	}
	return ripens
}

// bag is words with weights.
type bag map[string]float64

// addWords adds the words of a text. Words of fewer than three letters say too little.
func (b bag) addWords(text string, weight float64) {
	for _, w := range nameWords(text) {
		if len(w) >= 3 && !isStopWord(w) {
			s := stem(w)
			b[s] = max(b[s], weight)
		}
	}
}

func isStopWord(w string) bool {
	switch w {
	case "the", "and", "for", "with", "from", "that", "this", "not", "was", "are", "has", "http", "https", "get", "post", "put", "api", "com", "org",
		"error", "errors", "failed", "request", "requests", "service", "svc", "server", "client", "internal", "public", "string", "return", "func", "err",
		"code", "status", "info", "warn", "message", "value", "context", "ctx", "import", "new", "use", "java", "lang", "self", "src", "main", "int", "var", "out",
		"after", "before", "call", "calls", "called", "handler", "data", "name", "type", "time", "per", "into":
		return true
	}
	return false
}

// sortedWords lists the words of a bag in a fixed order, on which sums depend.
func sortedWords(b map[string]float64) []string {
	out := make([]string, 0, len(b))
	for w := range b {
		out = append(out, w)
	}
	slices.Sort(out)
	return out
}

// conceptWeights says how strongly each concept shows in a bag, 0..1, looking for the words
// that pick chooses.
func conceptWeights(b bag, scale float64, pick func(*concept) []string) map[string]float64 {
	out := map[string]float64{}
	for i := range concepts {
		c := &concepts[i]
		sum := 0.0
		seen := map[string]bool{}
		for _, w := range pick(c) {
			if s := stem(w); !seen[s] {
				seen[s] = true
				sum += min(b[s], 2)
			}
		}
		if sum > 0 {
			out[c.name] = 1 - math.Exp(-sum/scale)
		}
	}
	return out
}

// sharedConcept is the concept that both sides show most, with its strength.
func sharedConcept(symptom, code map[string]float64) (string, float64) {
	names := make([]string, 0, len(symptom))
	for n := range symptom {
		names = append(names, n)
	}
	slices.Sort(names)
	best, at := 0.0, ""
	for _, n := range names {
		if v := symptom[n] * code[n]; v > best {
			best, at = v, n
		}
	}
	return at, best
}
