# A code change can be watched: it adds at least one span attribute or counter.
package remediator.rules.telemetry

rules := {"telemetry.added"}

findings contains finding if {
	input.rung == "code"
	count(input.telemetry_added) < 1
	finding := {
		"rule": "telemetry.added",
		"effect": "deny",
		"message": "no span attribute or counter is added, a code change needs at least 1",
		"value": 0,
		"limit": 1,
	}
}
