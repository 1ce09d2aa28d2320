package localize

// windowConstants say what is slow.
type windowConstants struct{ enough, tail, few float64 }

func (c *windowConstants) list(t *table) {
	t.num(&c.enough, "window.enough", 20, "healthy samples that make a tail quantile usable", "")
	t.num(&c.few, "window.few", 1.5, "times the longest healthy duration that is slow where there are fewer", "")
	t.num(&c.tail, "window.tail", 0.01, "share of healthy requests that count as slow", "")
}

// symptomConstants say from where on users notice.
type symptomConstants struct{ rise, slower, slowerSeconds float64 }

func (c *symptomConstants) list(t *table) {
	t.num(&c.rise, "symptom.rise", 0.005, "share of requests that must fail in addition", "")
	t.num(&c.slower, "symptom.slower", 1.2, "times the healthy 95th percentile that is slower", "")
	t.num(&c.slowerSeconds, "symptom.slower_seconds", 0.005, "seconds by which it must be slower", "")
}

// onsetConstants date the beginning.
type onsetConstants struct{ significant, early, strong float64 }

func (c *onsetConstants) list(t *table) {
	t.num(&c.significant, "onset.significant", 10, "log-likelihood ratio from which a change point is believed", "odds of about 20,000 to 1 before paying for the choice among 120 places")
	t.num(&c.early, "onset.early", 0.2, "part of the bad events that may lie before the onset", "")
	t.num(&c.strong, "onset.strong", 0.5, "strength from which a metric or a log event may date the onset", "")
}

// errorConstants say what fails anew.
type errorConstants struct {
	ratio, z, waited, handling, least, reported float64
	sure                                        slope
}

func (c *errorConstants) list(t *table) {
	t.num(&c.ratio, "errors.ratio", 1.5, "times the healthy share that is more failures", "")
	t.num(&c.z, "errors.z", 2.5, "z score of the shares that is more than chance", "")
	t.slope(&c.sure, "errors.sure", 0, 2.5, "z score of an operation's failures that makes them evidence", "")
	t.num(&c.waited, "errors.waited", 0.7, "part of a call that gave up which the child it waited for took", "")
	t.num(&c.handling, "errors.handling", 0.5, "part of the weight for the call that is no longer coped with", "")
	t.num(&c.reported, "errors.reported", 0.35, "part of the weight for a caller that reports a callee that did not answer", "")
	t.num(&c.least, "errors.least", 0.05, "share of what went wrong from which an operation is said to fail or to be slow", "")
}

// latencyConstants divide added time.
type latencyConstants struct {
	least           float64
	sure            slope
	delta, tail     float64
	self, selfLeast float64
}

func (c *latencyConstants) list(t *table) {
	t.num(&c.least, "latency.least", 0.02, "share of the added time worth saying", "")
	t.slope(&c.sure, "latency.sure", 2, 6, "z score of the slow requests from which added time is evidence", "")
	t.num(&c.delta, "latency.delta", 0.33, "Cliff's delta from which single calls are slower", "Romano et al. 2006: 0.33 is a medium effect")
	t.num(&c.tail, "latency.tail", 1.5, "times the healthy 95th percentile from which single calls are slower", "")
	t.num(&c.self, "latency.self", 2, "times its healthy own time from which an operation is slow itself", "")
	t.num(&c.selfLeast, "latency.self_least", 0.1, "share of what went wrong from which that is said", "")
}

// networkConstants compare caller's and callee's view of calls.
type networkConstants struct {
	delta, seconds, ratio, calls float64
	sure                         slope
}

func (c *networkConstants) list(t *table) {
	t.num(&c.delta, "network.delta", 0.3, "Cliff's delta from which a connection is slower", "Romano et al. 2006: 0.33 is a medium effect")
	t.num(&c.seconds, "network.seconds", 0.003, "seconds by which it must be slower", "")
	t.num(&c.ratio, "network.ratio", 1.5, "times the healthy 90th percentile it must be", "")
	t.num(&c.calls, "network.calls", 5, "calls of each window that are needed", "")
	t.slope(&c.sure, "network.sure", 2, 4, "z score of Mann and Whitney's test", "")
}

// spectrumConstants judge agreement with the bad traces.
type spectrumConstants struct{ beyond, least, traces float64 }

func (c *spectrumConstants) list(t *table) {
	t.num(&c.beyond, "spectrum.beyond", 1.2, "times the healthy tail from which an operation held its trace up", "")
	t.num(&c.least, "spectrum.least", 0.1, "coefficient worth saying", "")
	t.num(&c.traces, "spectrum.traces", 3, "bad traces that are needed", "")
}

// sequenceConstants judge the order of log events.
type sequenceConstants struct{ learned, odd, band, rare, broken, least float64 }

func (c *sequenceConstants) list(t *table) {
	t.num(&c.learned, "sequence.learned", 4, "times an event must have been seen healthy before what follows it is known", "")
	t.num(&c.odd, "sequence.odd", 4, "z score from which an event is believed to have lost its order", "windows have hundreds of distinct events: chance alone reaches 3 often and 4 hardly ever")
	t.num(&c.band, "sequence.band", 1, "z scores around it between doubt and certainty", "")
	t.num(&c.rare, "sequence.rare", 0.02, "share of healthy steps below which a step is none that healthy work takes", "")
	t.num(&c.broken, "sequence.broken", 3, "traces that must break off", "")
	t.num(&c.least, "sequence.least", 0.02, "share of the broken traces worth saying", "")
}

// logConstants judge new and more frequent records.
type logConstants struct {
	z                                            float64
	sure, thrown                                 slope
	warning, first, passedOn, namer, callFailure float64
	similarity                                   float64
}

func (c *logConstants) list(t *table) {
	t.num(&c.similarity, "logs.similarity", 0.55, "share of equal tokens with which a message joins a template", "Drain's st; He et al., ICWS 2017, use 0.3 to 0.7")
	t.num(&c.z, "logs.z", 2, "z score from which a message is more frequent", "")
	t.slope(&c.sure, "logs.sure", 1.5, 5, "z score that makes a rise evidence", "")
	t.slope(&c.thrown, "logs.thrown", 1.5, 4, "z score that makes an exception evidence", "")
	t.num(&c.warning, "logs.warning", 0.7, "how much a warning counts beside an error", "")
	t.num(&c.passedOn, "logs.passed_on", 0.4, "how much a message counts that names another service", "")
	t.num(&c.namer, "logs.namer", 0.5, "part of the weight of a mention that speaks against the one that names", "")
	t.num(&c.callFailure, "logs.call_failure", 0.2, "how much an exception counts that reports a failed call", "")
	t.num(&c.first, "logs.first", 0.3, "strength from which a new message may be the first sign", "")
}

// metricConstants judge series.
type metricConstants struct {
	outlier, extreme, restless, restlessTail, spread, fewHealthy, single float64
	delta                                                                slope
	share, percent                                                       slope
	unlimited, memory                                                    float64
	error, latency, refusal, demand, other                               float64
	untouched, traced                                                    float64
}

func (c *metricConstants) list(t *table) {
	t.num(&c.outlier, "metrics.outlier", 3.5, "healthy deviations from which a series has moved", "Iglewicz and Hoaglin 1993")
	t.num(&c.extreme, "metrics.extreme", 12, "healthy deviations at which that counts in full", "")
	t.slope(&c.delta, "metrics.delta", 0.6, 0.95, "Cliff's delta of incident and healthy values", "Romano et al. 2006: 0.474 is a large effect")
	t.num(&c.restless, "metrics.restless", 1.3, "times the deviation that healthy series of the class reach by themselves", "")
	t.num(&c.restlessTail, "metrics.restless_tail", 0.02, "share of healthy series that jump farther than that", "")
	t.num(&c.spread, "metrics.spread", 0.1, "part of its level by which a series must move in any case", "")
	t.num(&c.fewHealthy, "metrics.few_healthy", 4, "healthy values that are needed", "")
	t.num(&c.single, "metrics.single", 0.6, "how much a single value counts", "")
	t.slope(&c.share, "metrics.share", 0.3, 0.8, "share of its limit from which a resource is short", "Gregg, The USE Method: what counts is saturation")
	t.slope(&c.percent, "metrics.percent", 30, 80, "the same in percent", "Gregg, The USE Method")
	t.num(&c.unlimited, "metrics.unlimited", 0.3, "how much CPU and traffic count without a limit to hold them against", "they follow the load")
	t.num(&c.memory, "metrics.memory", 0.5, "how much memory counts without a limit", "")
	t.num(&c.error, "metrics.error", 1.2, "what error metrics weigh beside others", "")
	t.num(&c.latency, "metrics.latency", 0.6, "what latency metrics weigh", "")
	t.num(&c.refusal, "metrics.refusal", 0.6, "what counts of refusals weigh", "")
	t.num(&c.demand, "metrics.demand", 0.3, "what counts of requests weigh", "")
	t.num(&c.other, "metrics.other", 0.6, "what metrics of no known class weigh", "")
	t.num(&c.untouched, "metrics.untouched", 0.25, "how much a metric counts where no traced request went", "")
	t.num(&c.traced, "metrics.traced", 0.4, "how much latency and error metrics count beside spans that tell the same", "")
}

// poolConstants judge pools.
type poolConstants struct{ wait, waitRatio, pending, pendingRatio, full float64 }

func (c *poolConstants) list(t *table) {
	t.num(&c.wait, "pool.wait", 0.005, "seconds of waiting for a connection, at the 95th percentile", "")
	t.num(&c.waitRatio, "pool.wait_ratio", 3, "times the healthy wait", "")
	t.num(&c.pending, "pool.pending", 1, "requests in the queue for a connection", "")
	t.num(&c.pendingRatio, "pool.pending_ratio", 2, "times the healthy queue", "")
	t.num(&c.full, "pool.full", 0.9, "share of a pool in use that is full", "")
}

// shapeConstants recognise retries, calls without a deadline and repeated calls.
type shapeConstants struct {
	retrying                                 float64
	quicker, worse                           slope
	alone, absorbed                          float64
	longRatio, longSeconds, long, below      float64
	repeated, repeatedRatio, repeatedUnknown float64
	repeatedSure                             slope
	quickerLeast, worseLeast                 float64
}

func (c *shapeConstants) list(t *table) {
	t.num(&c.retrying, "retry.parents", 3, "requests that must retry", "")
	t.num(&c.quickerLeast, "retry.quicker_least", 0.3, "Cliff's delta of the pauses from which retries come quicker", "Romano et al. 2006")
	t.num(&c.worseLeast, "retry.worse_least", 3, "z score of the share that gives up", "")
	t.slope(&c.quicker, "retry.quicker", 0.2, 0.8, "Cliff's delta of the pauses", "")
	t.slope(&c.worse, "retry.worse", 2, 6, "z score of the share that gives up", "")
	t.num(&c.alone, "retry.alone", 0.3, "how much retries in vain count without healthy ones to compare with", "")
	t.num(&c.absorbed, "retry.handling", 0.2, "strength from which the caller's handling explains the failures", "")
	t.num(&c.longRatio, "unbounded.ratio", 5, "times the healthy 99th percentile that is without a deadline", "")
	t.num(&c.longSeconds, "unbounded.seconds", 0.5, "seconds beyond it, at least", "")
	t.num(&c.long, "unbounded.calls", 3, "calls that must last so long", "")
	t.num(&c.below, "unbounded.below", 0.7, "part of the time that the callee's own spans explain", "")
	t.num(&c.repeated, "repeated.calls", 5, "calls per request that are many", "")
	t.num(&c.repeatedRatio, "repeated.ratio", 2, "times the healthy number", "")
	t.num(&c.repeatedUnknown, "repeated.unknown", 8, "calls per request that are many where the call was never seen healthy", "")
	t.slope(&c.repeatedSure, "repeated.sure", 0.5, 2, "logarithm of the factor", "")
}

// outsideConstants recognise causes outside the system.
type outsideConstants struct {
	unreachable, poison, peer slope
	poisonTimes               float64
	surge, surgeService       float64
	surgeSure, surgeStep      slope
	surgeServices             slope
	patience                  float64
}

func (c *outsideConstants) list(t *table) {
	t.slope(&c.unreachable, "outside.unreachable", 0.3, 0.7, "share of the new errors that are about names and routes", "")
	t.num(&c.surge, "outside.surge", 2, "times the healthy demand at the edge", "")
	t.num(&c.surgeService, "outside.surge_service", 1.8, "times the healthy demand at a service", "")
	t.slope(&c.surgeSure, "outside.surge_sure", 0.5877866649021191, 1.0986122886681098, "logarithm of the factor at the edge (ln 1.8 to ln 3)", "")
	t.slope(&c.surgeStep, "outside.surge_step", 0.26236426446749106, 0.6931471805599453, "logarithm of the factor by which most kinds of requests rose at once (ln 1.3 to ln 2)", "")
	t.slope(&c.surgeServices, "outside.surge_services", 0, 2, "services that see the surge", "")
	t.num(&c.poisonTimes, "outside.poison_times", 5, "times that the same input must fail", "")
	t.slope(&c.poison, "outside.poison", 0.3, 0.7, "share of the new errors that are about the one input", "")
	t.slope(&c.peer, "outside.peer", 0.3, 0.8, "share of what went wrong that began at a peer", "")
	t.num(&c.patience, "outside.patience", 1.25, "times the moment at which callers give up that healthy calls lasted", "")
}

// causeConstants decide the class of cause.
type causeConstants struct {
	outside, overrule, risk, relation, errors, latency, least float64
}

func (c *causeConstants) list(t *table) {
	t.num(&c.outside, "cause.outside", 0.5, "how sure an outside cause must be", "")
	t.num(&c.overrule, "cause.overrule", 2, "nats beyond blame that a change needs against a sure outside cause", "")
	t.num(&c.risk, "cause.risk", 0.6, "risk of a change that overrules even a firm outside cause", "")
	t.num(&c.relation, "cause.relation", 0.5, "how well a change must fit to overrule an outside cause", "")
	t.num(&c.errors, "cause.errors", 0.7, "how much failures speak for code", "")
	t.num(&c.latency, "cause.latency", 0.3, "how much added time speaks for code and resources alike", "")
	t.num(&c.least, "cause.least", 0.5, "nats of a kind of evidence that decide the class", "")
}
