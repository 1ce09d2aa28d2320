# Interfaces and schemas are promises to others and are never changed.
package remediator.rules.interface

rules := {"interface.changed", "interface.schema"}

findings contains finding if {
	some change in input.api_changes
	finding := {
		"rule": "interface.changed",
		"effect": effect,
		"path": change.path,
		"message": sprintf("%s is public and its %s changes in %s", [change.symbol, object.get(words, change.change, change.change), change.path]),
		"value": change.symbol,
		"limit": 0,
	}
}

# A revert goes back to an interface that was in production before; whether somebody uses the newer
# one since, the build and the tests show, and a person decides.
default effect := "deny"

effect := "hold" if input.rung == "revert"

words := {"removed": "presence"}

schemas := [
	`\.(proto|graphqls?|avsc|avdl|thrift|xsd|wsdl|fbs|capnp|prisma|raml|smithy)$`,
	`(^|/)(openapi|swagger|asyncapi)[^/]*\.(ya?ml|json)$`,
	`(^|/)schemas?(/[^/]*)*\.(sql|json|ya?ml)$`,
]

findings contains finding if {
	some file in input.files
	regex.match(concat("|", schemas), lower(file.path))
	finding := {
		"rule": "interface.schema",
		"effect": "deny",
		"path": file.path,
		"message": sprintf("%s describes an interface or a schema, which is never changed", [file.path]),
		"value": file.path,
		"limit": "interfaces and schemas",
	}
}
