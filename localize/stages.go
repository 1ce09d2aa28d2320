package localize

// stage is one step of a ranking.
type stage struct {
	name   string
	do     func(*analysis)
	within bool // the stage before it does this at the same time as its own work
	marks  bool // it marks requests of the windows
}

// stages are the steps of a ranking in their order.
func stages() []stage {
	return []stage{
		{name: "arrange", do: (*analysis).arrange},
		{name: "logs_read", do: (*analysis).mineLogs, within: true},
		{name: "series", do: (*analysis).lookAtSeries, within: true},
		{name: "slow", do: (*analysis).markSlow, marks: true},
		{name: "symptom", do: (*analysis).notice},
		{name: "sequence", do: (*analysis).findSequence, marks: true},
		{name: "raised", do: (*analysis).findRaised},
		{name: "onset", do: (*analysis).date},
		{name: "observe", do: (*analysis).observe},
		{name: "callees", do: (*analysis).findCallees},
		{name: "network", do: (*analysis).findNetwork},
		{name: "unbounded", do: (*analysis).findUnbounded},
		{name: "answering", do: (*analysis).findAnswering},
		{name: "silence", do: (*analysis).findSilence},
		{name: "errors", do: (*analysis).findErrors},
		{name: "hidden", do: (*analysis).findHidden},
		{name: "latency", do: (*analysis).findLatency},
		{name: "ochiai", do: (*analysis).findOchiai},
		{name: "logs", do: (*analysis).findLogs},
		{name: "metrics", do: (*analysis).findMetrics},
		{name: "pools", do: (*analysis).findPools},
		{name: "retries", do: (*analysis).findRetries},
		{name: "repeated", do: (*analysis).findRepeated},
		{name: "exceptions", do: (*analysis).findExceptions},
		{name: "plain", do: (*analysis).findPlain},
		{name: "profiles", do: (*analysis).findProfiles},
		{name: "dimensions", do: (*analysis).findDimensions},
		{name: "restarts", do: (*analysis).findRestarts},
		{name: "messages", do: (*analysis).findMessages},
		{name: "amplified", do: (*analysis).findAmplified},
		{name: "shared", do: (*analysis).findShared},
		{name: "first", do: (*analysis).findFirst},
		{name: "conclude", do: (*analysis).conclude},
	}
}
