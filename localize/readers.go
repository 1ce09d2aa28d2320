package localize

// firstReaders lists by stage the constants, and the options, that nothing reads before it. What is not listed may be
// read from the beginning. A test holds the list against the source; with -update it writes it anew.
func firstReaders() map[string][]string {
	return map[string][]string{
		"logs_read": {
			"logs.similarity",
		},
		"series": {
			"metrics.delta", "metrics.extreme", "metrics.few_healthy", "metrics.memory", "metrics.outlier",
			"metrics.percent", "metrics.restless", "metrics.restless_tail", "metrics.share", "metrics.single",
			"metrics.spread", "metrics.unlimited", "window.enough",
		},
		"slow": {
			"window.few", "window.tail",
		},
		"symptom": {
			"symptom.rise", "symptom.slower", "symptom.slower_seconds",
		},
		"sequence": {
			"combine.faint", "sequence.band", "sequence.broken", "sequence.learned", "sequence.least",
			"sequence.odd", "sequence.rare", "weight.sequence",
		},
		"raised": {
			"logs.sure", "logs.warning", "logs.z",
		},
		"onset": {
			"onset.early", "onset.significant", "onset.strong", "present.by_chance", "present.series",
			"present.wrong",
		},
		"network": {
			"network.calls", "network.delta", "network.ratio", "network.seconds", "network.sure",
			"weight.network",
		},
		"unbounded": {
			"unbounded.below", "unbounded.calls", "unbounded.ratio", "unbounded.seconds", "weight.shape",
		},
		"silence": {
			"silence.calls", "silence.rest", "silence.sure", "silence.victim", "silence.weight",
		},
		"errors": {
			"errors.handling", "errors.least", "errors.ratio", "errors.reported", "errors.sure",
			"errors.waited", "errors.z", "latency.delta", "latency.tail", "outside.patience",
			"weight.errors",
		},
		"hidden": {
			"hidden.drop", "hidden.few", "hidden.least", "hidden.ratio", "hidden.retry",
			"hidden.stand_in", "hidden.usual", "hidden.weight", "hidden.z", "present.hidden",
		},
		"latency": {
			"latency.least", "latency.sure", "weight.latency",
		},
		"ochiai": {
			"Options.Spectrum", "spectrum.beyond", "spectrum.least", "spectrum.traces", "weight.ochiai",
		},
		"logs": {
			"logs.namer", "logs.passed_on", "weight.log", "weight.mention", "weight.thrown",
		},
		"metrics": {
			"metrics.demand", "metrics.error", "metrics.latency", "metrics.other", "metrics.refusal",
			"metrics.traced", "metrics.untouched", "weight.metric", "weight.resource",
		},
		"pools": {
			"pool.full", "pool.pending", "pool.pending_ratio", "pool.wait", "pool.wait_ratio",
		},
		"retries": {
			"retry.alone", "retry.handling", "retry.parents", "retry.quicker", "retry.quicker_least",
			"retry.worse", "retry.worse_least",
		},
		"repeated": {
			"repeated.calls", "repeated.ratio", "repeated.sure", "repeated.unknown",
		},
		"exceptions": {
			"logs.call_failure", "logs.thrown",
		},
		"plain": {
			"latency.self", "latency.self_least",
		},
		"profiles": {
			"profile.busy", "profile.common", "profile.fade", "profile.hints", "profile.hot",
			"profile.observed", "profile.reasons", "profile.share", "profile.sure", "profile.weight",
		},
		"dimensions": {
			"dimension.most", "dimension.sure", "dimension.weight",
		},
		"restarts": {
			"restarts.often", "restarts.once",
		},
		"messages": {
			"messages.fewer", "messages.more", "messages.present", "messages.sure", "messages.weight",
		},
		"amplified": {
			"amplified.load", "amplified.part", "amplified.ratio", "amplified.sure", "amplified.victim",
			"amplified.weight",
		},
		"shared": {
			"shared.alone", "shared.users", "shared.weight",
		},
		"first": {
			"logs.first", "weight.first",
		},
		"conclude": {
			"Options.Calibration", "Options.Suspects", "Options.Threshold", "cause.errors", "cause.latency",
			"cause.least", "cause.outside", "cause.overrule", "cause.relation", "cause.risk",
			"change.blame", "change.called", "change.elsewhere", "change.interval", "change.lag_minutes",
			"change.lag_slope", "change.late", "change.late_signs", "change.named", "change.near",
			"change.place_odd", "change.place_share", "change.placeless", "change.ranged", "change.ripening",
			"change.slack_seconds", "change.slack_share", "change.unshipped", "combine.further", "combine.furthest",
			"combine.offset", "combine.second", "combine.second_share", "fit.concept", "fit.concept_scale",
			"fit.least", "fit.related", "fit.unrelated", "fit.word_scale", "fit.words",
			"flag.agrees", "flag.agrees_least", "flag.elsewhere", "flag.near", "flag.place_odd",
			"flag.place_share", "flag.unrelated", "flag.words", "outside.peer", "outside.poison",
			"outside.poison_times", "outside.surge", "outside.surge_service", "outside.surge_services", "outside.surge_step",
			"outside.surge_sure", "outside.unreachable", "present.edge", "present.error", "present.failed",
			"present.shape", "present.warning", "present.warning_most", "risk.any", "risk.average",
			"risk.call", "risk.comment", "risk.constant", "risk.dependency", "risk.gained",
			"risk.guard", "risk.inert", "risk.loop", "risk.most", "risk.moved",
			"risk.moved_share", "risk.only_adds", "risk.only_logs", "risk.unknown", "risk.value",
			"risk.value_size", "weight.change",
		},
	}
}
