package shop

// Scenario is one branch of the history and the fault that goes with it.
type Scenario struct {
	Name  string
	Title string // one line for people
	// Healthy says that nothing is wrong in the incident window.
	Healthy bool
	// Baseline names the commit, by its patch or title, that the baseline was recorded from; "" is
	// the head.
	Baseline string
	// Culprit names the commit to blame; "" where there is none.
	Culprit string
}

// Scenarios are all scenarios, the main one first.
func Scenarios() []Scenario {
	return []Scenario{
		{Name: "retry-storm", Title: "a commit removed backoff and jitter from the retries at the bank",
			Baseline: "retry-storm/0001", Culprit: "retry-storm/0002"},
		{Name: "missing-deadline", Title: "orders waits for pricing without a deadline, and pricing hangs"},
		{Name: "pool-of-one", Title: "one database connection was enough until reports became popular"},
		{Name: "n-plus-one", Title: "a commit made the inventory query once per item",
			Baseline: "shared/0002", Culprit: "n-plus-one/0001"},
		{Name: "none-deref", Title: "pricing trips over customers without a tier"},
		{Name: "flag-on", Title: "a risk check was turned on that the bank cannot answer in time",
			Baseline: "quiet/0003", Culprit: "flag-on/0001"},
		{Name: "wrong-config", Title: "a commit lowered the bank's timeout to a tenth",
			Baseline: "shared/0002", Culprit: "wrong-config/0001"},
		{Name: "bank-down", Title: "the bank is down and nothing in the shop is to blame"},
		{Name: "healthy-steady", Title: "an alert without an incident, steady load", Healthy: true},
		{Name: "healthy-varying", Title: "an alert without an incident, varying load", Healthy: true},
		{Name: "healthy-deploy", Title: "an alert without an incident, a deployment in the window", Healthy: true,
			Baseline: "quiet/0003"},
		{Name: "healthy-restart", Title: "an alert without an incident, a restart in the window", Healthy: true},
	}
}

// Names are the names of all scenarios.
func Names() []string {
	var names []string
	for _, s := range Scenarios() {
		names = append(names, s.Name)
	}
	return names
}
