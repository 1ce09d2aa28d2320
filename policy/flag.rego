# A code change is guarded by a flag that is off until somebody turns it on.
package remediator.rules.flag

rules := {"flag.present", "flag.default"}

findings contains finding if {
	input.rung == "code"
	not named
	finding := {
		"rule": "flag.present",
		"effect": "deny",
		"message": "no feature flag guards the code change",
		"value": 0,
		"limit": 1,
	}
}

named if input.flag.name != ""

findings contains finding if {
	input.flag.default == true
	finding := {
		"rule": "flag.default",
		"effect": "deny",
		"message": sprintf("flag %s is on by default, it must be off", [input.flag.name]),
		"value": true,
		"limit": false,
	}
}
