# A patch changes text that a person can read, and nothing else about files.
package remediator.rules.content

rules := {"content.empty", "content.binary", "content.symlink", "content.mode", "content.deleted", "content.rung"}

findings contains finding if {
	count(input.files) == 0
	finding := {"rule": "content.empty", "effect": "deny", "message": "the patch changes no file", "value": 0, "limit": 1}
}

findings contains finding if {
	some file in input.files
	file.binary == true
	finding := {
		"rule": "content.binary", "effect": "deny", "path": file.path, "value": true, "limit": false,
		"message": sprintf("%s is binary and cannot be reviewed", [file.path]),
	}
}

findings contains finding if {
	some file in input.files
	file.symlink == true
	finding := {
		"rule": "content.symlink", "effect": "deny", "path": file.path, "value": true, "limit": false,
		"message": sprintf("%s is a symbolic link or a submodule, which may lead out of the repository", [file.path]),
	}
}

findings contains finding if {
	some file in input.files
	mode := object.get(file, "mode", "")
	mode != ""
	finding := {
		"rule": "content.mode", "effect": "deny", "path": file.path, "value": mode, "limit": "",
		"message": sprintf("the mode of %s becomes %s; modes are never changed", [file.path, mode]),
	}
}

findings contains finding if {
	input.rung != "revert"
	some file in input.files
	file.status == "deleted"
	file.kind != "test"
	finding := {
		"rule": "content.deleted", "effect": "hold", "path": file.path, "value": file.deleted, "limit": 0,
		"message": sprintf("%s is deleted", [file.path]),
	}
}

rungs := {"", "flag_off", "revert", "config", "code"}

findings contains finding if {
	not input.rung in rungs
	finding := {
		"rule": "content.rung", "effect": "deny", "value": input.rung, "limit": sort(rungs),
		"message": sprintf("%q is not a rung of the ladder, so no rule was made for it", [input.rung]),
	}
}
