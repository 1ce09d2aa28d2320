# A correct refusal is not a fault: a patch that seems to remove a check waits for a person.
package remediator.rules.weakening

rules := {"weakening.check_removed"}

findings contains finding if {
	some hint in input.weakened_checks
	finding := {
		"rule": "weakening.check_removed",
		"effect": "hold",
		"path": hint.path,
		"message": sprintf("%s line %v: %s goes and nothing like it comes back", [hint.path, hint.line, hint.what]),
		"value": hint.what,
		"limit": 0,
	}
}
