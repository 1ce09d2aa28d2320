package localize

// constants are all numbers that the ranking rests on, one name and one place for each. The first
// half is here: how much each signal counts, and how the counts are put together; the second, from
// where on something counts at all, in bounds.go.
type constants struct {
	weight    weights
	combine   combineConstants
	window    windowConstants
	symptom   symptomConstants
	onset     onsetConstants
	errors    errorConstants
	latency   latencyConstants
	network   networkConstants
	spectrum  spectrumConstants
	sequence  sequenceConstants
	logs      logConstants
	metrics   metricConstants
	pool      poolConstants
	shape     shapeConstants
	profile   profileConstants
	change    changeConstants
	fit       fitConstants
	risk      riskConstants
	flag      flagConstants
	outside   outsideConstants
	hidden    hiddenConstants
	cause     causeConstants
	silence   silenceConstants
	messages  messageConstants
	amplify   amplifyConstants
	shared    sharedConstants
	restarts  restartConstants
	dimension dimensionConstants
}

// weights of the signals in nats: the natural logarithm of how much likelier a signal at full
// strength is at the culprit than at a bystander. They are orders of magnitude, not fits:
// 4.0 is about 50 to 1, 3.0 is 20 to 1, 2.0 is 7 to 1, 1.0 is 3 to 1.
//
// What a trace shows directly (where a failure began, where time went, where the order of
// events broke off) outweighs what only accompanies a fault (a metric that moved, a commit near
// in time), because faults spread along calls and load, and most commits are innocent.
type weights struct {
	errors, latency, sequence, ochiai, network, log, thrown, mention, resource, metric, first, change, shape float64
}

func (w *weights) list(t *table) {
	t.num(&w.errors, "weight.errors", 4.0, "nats for the service in which all failing traces failed first", "")
	t.num(&w.latency, "weight.latency", 3.5, "nats for the service that added all the time on the critical path", "")
	t.num(&w.sequence, "weight.sequence", 4.0, "nats for the service in which the order of log events broke first in all traces", "")
	t.num(&w.ochiai, "weight.ochiai", 1.5, "nats for an operation that was abnormal in exactly the bad traces", "")
	t.num(&w.network, "weight.network", 2.5, "nats for the common end of all connections that got slower", "")
	t.num(&w.log, "weight.log", 2.0, "nats for new or more frequent warnings and errors", "")
	t.num(&w.thrown, "weight.thrown", 2.5, "nats for new exceptions with a stack of their own", "")
	t.num(&w.mention, "weight.mention", 1.5, "nats for a service that others' new errors name; half of it against the one that names it", "")
	t.num(&w.resource, "weight.resource", 2.5, "nats for a CPU, memory, disk, pool or queue beyond its healthy range", "")
	t.num(&w.metric, "weight.metric", 1.0, "nats for another metric beyond its healthy range", "")
	t.num(&w.first, "weight.first", 0.7, "nats for the service that showed something first", "")
	t.num(&w.change, "weight.change", 1.5, "nats for the service that was changed before the onset by a change that fits", "")
	t.num(&w.shape, "weight.shape", 1.0, "nats for a known shape of failure", "")
}

// combineConstants say how evidence is put together.
type combineConstants struct {
	further, furthest, faint, offset, second, secondShare  float64
	wrong                                                  float64
	presentEdge, presentError, presentWarning, presentMany slope
	presentByChance                                        float64
	presentFailed, presentShape, presentQuiet              float64
	falseAlarm, presentShort                               float64
}

func (c *combineConstants) list(t *table) {
	t.num(&c.further, "combine.further", 0.15, "how much every reason of a kind beyond the strongest still counts", "")
	t.num(&c.furthest, "combine.furthest", 0.5, "what further reasons of a kind can add at most, as a share of the strongest", "")
	t.num(&c.faint, "combine.faint", 0.02, "nats below which a reason is not worth saying", "")
	t.num(&c.offset, "combine.offset", 1.5, "nats at which a suspect's score is one half", "")
	t.num(&c.second, "combine.second", 0.5, "share of the first operation's evidence from which a second one of the same service is listed", "")
	t.num(&c.secondShare, "combine.second_share", 0.8, "what a second operation's score is lowered by", "")
	t.num(&c.wrong, "present.wrong", 0.5, "how sure it must be that something is wrong before anything is named", "")
	t.slope(&c.presentEdge, "present.edge", 3, 5, "z score of failing or slow requests at the edge", "with a handful of questions per window, z = 4 comes up by chance once in several thousand")
	t.slope(&c.presentError, "present.error", 2.5, 4.5, "z score of a new error in the logs", "")
	t.slope(&c.presentWarning, "present.warning", 3, 5, "z score of a new warning in the logs", "")
	t.num(&c.presentQuiet, "present.warning_most", 0.8, "how sure warnings alone can make it", "")
	t.slope(&c.presentMany, "present.series", 2, 4.5, "z score of how many series moved, over how many move by chance", "")
	t.num(&c.presentByChance, "present.by_chance", 0.03, "share of series that move by chance", "one in fifty by construction of restlessness, and some")
	t.num(&c.falseAlarm, "present.false_alarm", 0.005, "how likely records or a short resource may be by chance for anybody to be named for them, all questions counted", "half of the one healthy window in a hundred in which somebody may be named; the other half is for requests, orders and series")
	t.num(&c.presentShort, "present.short", 0.03, "how often a resource is at its limit where nothing is wrong", "")
	t.num(&c.presentFailed, "present.failed", 0.8, "how sure failed requests make it where there is no healthy window", "")
	t.num(&c.presentShape, "present.shape", 0.7, "how sure a known shape of failure makes it where there is no healthy window", "")
}

// changeConstants weigh when and where a change became live, in nats.
type changeConstants struct {
	lateMost, interval                                        float64
	ranged, ripening                                          float64
	blame, late, near, lagSlope, lagMinutes, named, unshipped float64
	placeless, placeOdd, placeShare, called, elsewhere        float64
	slackShare, slackMost                                     float64
	prompt, promptOdds, promptMinutes                         float64
}

func (c *changeConstants) list(t *table) {
	t.num(&c.blame, "change.blame", 2.0, "nats a change needs before it is blamed", "the prior that any given commit broke something is small: 7 to 1 for it over an average commit of the window")
	t.num(&c.late, "change.late", 8, "nats against a change that became live after the onset", "causes precede effects")
	t.num(&c.lateMost, "change.late_signs", 5, "nats against a change that became live long after the first signs", "")
	t.num(&c.interval, "change.interval", 90, "seconds of error of the first signs that take a nat", "metrics come every minute or so")
	t.num(&c.ranged, "change.ranged", 0.5, "nats for a change among what was rolled out between the windows", "")
	t.num(&c.ripening, "change.ripening", 1.5, "nats against a change that ran when healthy, where what is seen takes time to show", "")
	t.num(&c.near, "change.near", 1.0, "nats for a change that became live at the onset", "")
	t.num(&c.lagSlope, "change.lag_slope", 0.5, "nats by which a change loses with the logarithm of its age", "")
	t.num(&c.lagMinutes, "change.lag_minutes", 10, "minutes of age from which a change loses", "")
	t.num(&c.prompt, "change.prompt", 0.33, "share of the harmful roll-outs that show at once", "")
	t.num(&c.promptOdds, "change.prompt_odds", 20, "odds of such a roll-out at the onset", "a third of them show within about a minute, while bystanders are rolled out at any minute of the hour")
	t.num(&c.promptMinutes, "change.prompt_minutes", 1, "minutes within which three quarters of that is gone", "")
	t.num(&c.named, "change.named", 0.8, "nats for a change that a deployment names", "")
	t.num(&c.unshipped, "change.unshipped", 0.5, "nats against a change that no known deployment carries", "")
	t.num(&c.placeless, "change.placeless", 0.2, "nats against a change whose paths belong to no single service", "")
	t.num(&c.placeOdd, "change.place_odd", 0.7, "nats against a change in a service that the telemetry hardly blames", "")
	t.num(&c.placeShare, "change.place_share", 2.2, "nats for a change in a service that the telemetry blames alone", "")
	t.num(&c.called, "change.called", 0.3, "nats against a change in a service that a suspect calls", "")
	t.num(&c.elsewhere, "change.elsewhere", 1.5, "nats against a change in a service that the telemetry does not blame", "")
	t.num(&c.slackShare, "change.slack_share", 0.05, "share of the window by which the onset may be estimated wrongly", "")
	t.num(&c.slackMost, "change.slack_seconds", 90, "seconds by which it may be at most", "")
}

// fitConstants weigh whether what a change does fits what is seen.
type fitConstants struct {
	words, wordScale, concept, conceptScale, unrelated, related, least float64
}

func (c *fitConstants) list(t *table) {
	t.num(&c.words, "fit.words", 2.0, "nats for a change that shares all its rare words with what is seen", "")
	t.num(&c.wordScale, "fit.word_scale", 3, "rare words that make two thirds of an overlap", "")
	t.num(&c.concept, "fit.concept", 1.8, "nats for a change of the same class of failure as what is seen", "")
	t.num(&c.conceptScale, "fit.concept_scale", 1.5, "words that make two thirds of a concept", "")
	t.num(&c.unrelated, "fit.unrelated", 1.5, "nats against a change that relates to nothing that is seen", "")
	t.num(&c.related, "fit.related", 0.25, "how related a change must be not to count as unrelated", "")
	t.num(&c.least, "fit.least", 0.15, "overlap below which words and concepts say nothing", "")
}

// riskConstants say how likely a change alters behaviour, by what its text does.
type riskConstants struct {
	average, inert, unknown, comment, dependency, any     float64
	value, valueSize, guard, call, constant, gained, loop float64
	onlyAdds, onlyLogs, moved, movedShare, most           float64
	rewritten, serial, loosened, disrupts                 float64
}

func (c *riskConstants) list(t *table) {
	t.num(&c.average, "risk.average", 0.3, "risk of an average change, by which others are judged", "")
	t.num(&c.inert, "risk.inert", 0.02, "risk of documentation, tests, style", "")
	t.num(&c.unknown, "risk.unknown", 0.25, "risk of a change whose text is not known", "")
	t.num(&c.comment, "risk.comment", 0.03, "risk of a change of comments, or of the words of log messages", "")
	t.num(&c.dependency, "risk.dependency", 0.15, "risk of new versions of dependencies", "")
	t.num(&c.any, "risk.any", 0.1, "risk of any line of code", "")
	t.num(&c.value, "risk.value", 0.25, "added for a literal that changed", "")
	t.num(&c.valueSize, "risk.value_size", 0.2, "added for one that changed by a factor of twenty", "")
	t.num(&c.guard, "risk.guard", 0.3, "added for a check that is gone", "")
	t.num(&c.call, "risk.call", 0.15, "added for each call that is gone, up to three", "")
	t.num(&c.constant, "risk.constant", 0.2, "added for a constant that is gone", "")
	t.num(&c.gained, "risk.gained", 0.08, "added for each new call, up to three", "")
	t.num(&c.loop, "risk.loop", 0.25, "added for a call in a loop", "")
	t.num(&c.onlyAdds, "risk.only_adds", 0.8, "factor for a change that only adds lines", "")
	t.num(&c.onlyLogs, "risk.only_logs", 0.4, "factor for a change that is mostly about logging", "")
	t.num(&c.moved, "risk.moved", 0.4, "factor for a change that says the same in other places", "")
	t.num(&c.movedShare, "risk.moved_share", 0.7, "share of the removed words that such a change keeps", "")
	t.num(&c.rewritten, "risk.rewritten", 0.2, "added for a statement that computes the same thing in another way", "")
	t.num(&c.serial, "risk.serial", 0.3, "added for requests that wait for each other and did not before", "")
	t.num(&c.loosened, "risk.loosened", 0.3, "factor for a limit, pool or time-out that was raised by up to four times", "")
	t.num(&c.disrupts, "risk.disrupts", 0.6, "risk of a migration that takes away or locks what is in use", "")
	t.num(&c.most, "risk.most", 0.95, "risk of the riskiest change", "")
}

// flagConstants weigh changes of flags, in nats.
type flagConstants struct {
	near, placeOdd, placeShare, elsewhere, agrees, agreesLeast, words, unrelated float64
}

func (c *flagConstants) list(t *table) {
	t.num(&c.near, "flag.near", 4, "nats for a flag that changed at the onset", "a flag acts at once: its effect comes within about a minute, while bystanders change at any minute of the hour before (ln 60 = 4.1)")
	t.num(&c.placeOdd, "flag.place_odd", 0.7, "nats against a flag of a service that the telemetry hardly blames", "")
	t.num(&c.placeShare, "flag.place_share", 1.7, "nats for a flag of the service that the telemetry blames alone", "")
	t.num(&c.elsewhere, "flag.elsewhere", 3.5, "nats against a flag of a service that the telemetry does not blame and that has nothing to do with the one it blames", "")
	t.num(&c.agrees, "flag.agrees", 3, "nats for a flag whose value agrees exactly with the bad traces", "")
	t.num(&c.agreesLeast, "flag.agrees_least", 0.5, "Ochiai coefficient from which it agrees", "")
	t.num(&c.words, "flag.words", 0.6, "nats for each word of its name that is also seen, up to two", "")
	t.num(&c.unrelated, "flag.unrelated", 1.0, "nats against a flag that relates to nothing that is seen", "")
}
