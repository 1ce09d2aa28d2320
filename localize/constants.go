package localize

// Constant is one number that the ranking rests on.
type Constant struct {
	Name    string  `json:"name"` // what Options.Scale knows it by
	Value   float64 `json:"value"`
	Meaning string  `json:"meaning"`
	Source  string  `json:"source,omitempty"` // where it comes from; empty: its sensitivity is measured instead
}

// Constants lists the numbers that the ranking rests on, in the order of the stages that use them.
func Constants() []Constant {
	return []Constant{
		{Name: "weight.errors", Value: weightErrors, Meaning: "nats for the service in which all failing traces failed first"},
	}
}
