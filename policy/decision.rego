# What the rules found, gathered. Every package below remediator.rules names its rules and
# yields findings; packages below remediator.user belong to the repository and can only add.
package remediator

decision := {"findings": findings, "rules": evaluated}

evaluated contains name if some name in data.remediator.rules[_].rules

evaluated contains sprintf("user.%s", [pkg]) if some pkg, _ in data.remediator.user

findings contains finding if some finding in data.remediator.rules[_].findings

findings contains finding if {
	some pkg
	some entry in data.remediator.user[pkg].deny
	finding := user_finding(pkg, entry, "deny")
}

findings contains finding if {
	some pkg
	some entry in data.remediator.user[pkg].hold
	finding := user_finding(pkg, entry, "hold")
}

# An entry is an object with a message and perhaps rule, path, value and limit, or just the message.
user_finding(pkg, entry, effect) := object.union(entry, {
	"rule": sprintf("user.%s.%v", [pkg, object.get(entry, "rule", effect)]),
	"effect": effect,
	"message": sprintf("%v", [object.get(entry, "message", entry)]),
}) if {
	is_object(entry)
}

user_finding(pkg, entry, effect) := {
	"rule": sprintf("user.%s.%s", [pkg, effect]),
	"effect": effect,
	"message": sprintf("%v", [entry]),
} if {
	not is_object(entry)
}
