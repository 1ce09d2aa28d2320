package simulate

// habits are how a service reports and how its people write code. Services of one company share most of them.
type habits struct {
	semconv     semconv
	kinds       bool // spans carry their kind
	statuses    bool // spans carry their status
	exceptions  bool // exceptions are recorded on spans
	clientSpans bool
	dbSpans     bool
	internal    bool // a span around the handler's own function
	route       bool // server spans know the route, else the path
	logIDs      logIDs
	logCode     bool // log records say where they were written
	logBody     bool // structured bodies
	commit      bool // the resource names the commit
	versioned   bool // the resource names the version
	pod         string
	linked      bool // consumers link to the producer instead of following it
	peer        bool // client spans name the service they call
	breakers    bool
	gateway504  bool // a time-out below is answered with 504, else 500
	grpcStatus  bool // a failing call below keeps its gRPC code
	chatter     bool // a log line at each call that fails
	chronic     int  // number of the harmless warning it writes all the time, 0 for none
	codeOnSpan  bool
	durationMS  bool // of Prometheus-like metrics
	skew        float64
}

type semconv uint8

const (
	semconvOld semconv = iota
	semconvNew
)

type logIDs uint8

const (
	logSpanIDs logIDs = iota
	logTraceIDs
	logNoIDs
	logRequestID // an attribute of its own
)

type metricHabit uint8

const (
	otelMetrics metricHabit = iota
	promMetrics
	gaugeMetrics
)

// newHabits draws the habits of a service; family is what its company usually does, nil when that is what is drawn.
func newHabits(r random, lang language, family *habits) habits {
	h := habits{
		semconv: semconv(r.IntN(2)), kinds: r.chance(0.92), statuses: r.chance(0.9), exceptions: r.chance(0.6),
		clientSpans: r.chance(0.95), dbSpans: r.chance(0.93), internal: r.chance(0.25), route: r.chance(0.85),
		logIDs: logIDs(r.weighted([]float64{5, 2, 2, 1})), logCode: r.chance(0.3), logBody: r.chance(0.3),
		commit: r.chance(0.25), versioned: r.chance(0.7), pod: pick(r, []string{"k8s.pod.name", "k8s.pod.name", "service.instance.id", "host.name"}),
		linked: r.chance(0.4), peer: r.chance(0.25), breakers: r.chance(0.3), gateway504: r.chance(0.5), grpcStatus: r.chance(0.6),
		chatter: r.chance(0.7), codeOnSpan: r.chance(0.08), durationMS: r.chance(0.4),
	}
	if r.chance(0.3) {
		h.chronic = r.int(1, 5)
	}
	if r.chance(0.12) {
		h.skew = r.between(-0.4, 0.4)
	}
	if family == nil {
		return h
	}
	if r.chance(0.75) {
		chronic, skew, exceptions := h.chronic, h.skew, h.exceptions
		h = *family
		h.chronic, h.skew = chronic, skew
		if lang == golang || lang == node {
			h.exceptions = exceptions && h.exceptions
		}
	}
	return h
}
