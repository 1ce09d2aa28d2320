# A patch stays inside the service that is to blame.
package remediator.rules.scope

rules := {"scope.paths", "scope.unknown"}

findings contains finding if {
	count(input.service_paths) > 0
	some file in input.files
	some path in names(file)
	not covered(path)

	# One file of flags often serves all services; it may hold only flags.
	file.kind != "flag"
	finding := {
		"rule": "scope.paths",
		"effect": "deny",
		"path": path,
		"message": sprintf("%s does not belong to service %s, which owns %s", [path, input.service, concat(", ", input.service_paths)]),
		"value": path,
		"limit": input.service_paths,
	}
}

findings contains finding if {
	count(input.service_paths) == 0
	input.rung != ""
	finding := {
		"rule": "scope.unknown",
		"effect": "hold",
		"message": sprintf("the paths of service %q are not configured, so nobody can say whether the patch stays inside it", [input.service]),
		"value": 0,
		"limit": 1,
	}
}

# A renamed file counts at both of its places.
names(file) := {name | some key in ["path", "old_path"]; name := object.get(file, key, ""); name != ""}

covered(path) if {
	some pattern in input.service_paths
	matches(trim_suffix(trim_prefix(pattern, "./"), "/"), path)
}

matches(pattern, _) if pattern in {".", "**"}

# A pattern stands for what it matches and for everything below that; "**/" may stand for nothing.
matches(pattern, path) if {
	some candidate in {pattern, replace(pattern, "**/", "")}
	some tail in {"", "/**"}
	glob.match(concat("", [candidate, tail]), ["/"], path)
}
