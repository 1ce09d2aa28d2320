# A patch for a doubtful suspect waits for a person.
package remediator.rules.confidence

rules := {"confidence.low"}

findings contains finding if {
	input.rung != ""
	limit := data.limits["confidence.low"]
	input.confidence < limit
	finding := {
		"rule": "confidence.low",
		"effect": "hold",
		"message": sprintf("the confidence in the suspect is %.2f, the limit is %v", [input.confidence, limit]),
		"value": input.confidence,
		"limit": limit,
	}
}
