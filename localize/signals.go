package localize

// Signal is one question that the ranking asks of the evidence.
type Signal struct {
	Name   string `json:"name"`             // Reason.Signal, and what Options.Without knows it by
	Asks   string `json:"asks"`             // the question in words
	Source string `json:"source,omitempty"` // where the method comes from
	Weight string `json:"weight"`           // the constant that weighs it
}

// Signals lists the questions in the order in which they are asked: of services first, then of
// changes.
func Signals() []Signal {
	return []Signal{
		{"errors", "In which operation did the failing requests begin to fail, and does it fail more than when healthy?", "the first anomalous caller up the failing chain, as in Liu et al., MicroHECL (ICSE-SEIP 2021), on single traces", "weight.errors"},
		{"silence", "Which service stopped working while it was still asked for?", "Avizienis et al., Basic Concepts and Taxonomy of Dependable and Secure Computing (2004), halt failures", "silence.weight"},
		{"messages", "Does a consumer take up far more or far fewer messages than are sent?", "Hohpe and Woolf, Enterprise Integration Patterns (2003)", "messages.weight"},
		{"amplified", "Who multiplied its calls and with them the load of a callee?", "Bronson et al., Metastable Failures in Distributed Systems (HotOS 2021)", "amplified.weight"},
		{"shared", "What do the ill services have in common that sends no spans?", "Bhagwan et al., Adtributor (NSDI 2014)", "shared.weight"},
		{"dimension", "Do the requests through one version, instance or zone of a service go badly and the others not?", "Bhagwan et al., Adtributor (NSDI 2014)", "dimension.weight"},
		{"handling", "Which failing call is no longer coped with by its caller?", "Nygard, Release It! (2018), on retries and fallbacks", "weight.errors"},
		{"hidden", "Behind which caller's fallback, repetition or open breaker do more calls fail than when healthy, and where did they begin to?", "Nygard, Release It! (2018), chapters 4 and 5", "hidden.weight"},
		{"stands_in", "Whose own answers are only a stand-in for those of a service that fails?", "", "hidden.weight"},
		{"network", "Which service is the common end of the connections that got slower between caller's and callee's clock?", "precision and recall of an explanation, as in Adtributor (Bhagwan et al., NSDI 2014)", "weight.network"},
		{"latency", "Which operation's own time on the critical path grew?", "Zhang et al., CRISP (USENIX ATC 2022), sections 4 and 5", "weight.latency"},
		{"ochiai", "Which operations were abnormal in the bad traces and only there?", "Abreu, Zoeteweij, van Gemund, On the Accuracy of Spectrum-based Fault Localization (2007)", "weight.ochiai"},
		{"sequence", "After which log event did the work of a request leave its healthy order first?", "Yu et al., Nezha (ESEC/FSE 2023)", "weight.sequence"},
		{"log_template", "Which warnings and errors are new or more frequent?", "He et al., Drain (ICWS 2017); Przyborowski and Wilenski's test of two rates (1940)", "weight.log"},
		{"mention", "Whom do the new errors of others name?", "", "weight.mention"},
		{"exception", "Which exceptions are new, and where were they thrown first?", "Nygard, Release It! (2018): what a caller reports of a callee is no fault of the caller", "weight.thrown"},
		{"resource_metric", "Which CPU, memory, disk, pool, queue or connection is beyond its healthy range and short?", "Iglewicz and Hoaglin (1993); Gregg, The USE Method", "weight.resource"},
		{"error_metric", "Which counts of errors are beyond their healthy range?", "Iglewicz and Hoaglin (1993)", "metrics.error"},
		{"latency_metric", "Which latencies are beyond their healthy range?", "Iglewicz and Hoaglin (1993)", "metrics.latency"},
		{"metric", "Which other series are?", "Iglewicz and Hoaglin (1993)", "metrics.other"},
		{"repeated", "Which operation makes the same call many times per request?", "the N+1 selects of Fowler, Patterns of Enterprise Application Architecture (2002)", "weight.shape"},
		{"shape", "Are there retries in a burst, or calls without a deadline?", "Nygard, Release It! (2018)", "weight.shape"},
		{"profile", "Which functions take more than when healthy?", "Gregg, The Flame Graph (CACM 2016), differential; the size factor of Anders and Huber (2010)", "profile.weight"},
		{"first", "Which service showed anything first?", "causes precede effects", "weight.first"},
		{"change", "Was the service changed by a change that fits?", "", "weight.change"},
		{"change_time", "Did the change become live before the incident began, and how long before?", "causes precede effects", "change.near"},
		{"change_deployed", "Does a deployment name or carry it?", "", "change.named"},
		{"change_range", "Is it among what was rolled out between the healthy window and the incident?", "Zeller, Yesterday, My Program Worked (1999): the cause is in the difference", "change.late"},
		{"change_place", "Does it run where the suspects are?", "", "change.place_share"},
		{"change_risk", "Can it alter behaviour at all?", "Gunawi et al., What Bugs Live in the Cloud? (SoCC 2014)", "risk.average"},
		{"change_words", "Does it share rare words with what is seen?", "Spaerck Jones, inverse document frequency (1972)", "fit.words"},
		{"change_concept", "Is it about the same class of failure?", "Liu et al., What Bugs Cause Production Cloud Incidents? (HotOS 2019)", "fit.concept"},
		{"change_fit", "Does anything in it relate to what is seen?", "", "fit.unrelated"},
		{"change_flag", "Does it set the flag that is blamed?", "", "flag.agrees"},
	}
}
