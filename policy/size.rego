# A patch stays small enough to be reviewed in one sitting. A revert may be larger: it restores
# what was reviewed before.
package remediator.rules.size

rules := {"size.lines", "size.test_lines", "size.files"}

lines_key := "size.revert_lines" if input.rung == "revert"

lines_key := "size.lines" if input.rung != "revert"

files_key := "size.revert_files" if input.rung == "revert"

files_key := "size.files" if input.rung != "revert"

changed(kinds) := sum([lines |
	some file in input.files
	(file.kind == "test") in kinds
	lines := file.added + file.deleted
])

findings contains finding if {
	lines := changed({false})
	limit := data.limits[lines_key]
	lines > limit
	finding := {
		"rule": "size.lines",
		"effect": "deny",
		"message": sprintf("%v lines change outside tests, the limit is %v", [lines, limit]),
		"value": lines,
		"limit": limit,
	}
}

findings contains finding if {
	lines := changed({true})
	limit := data.limits["size.test_lines"]
	lines > limit
	finding := {
		"rule": "size.test_lines",
		"effect": "hold",
		"message": sprintf("%v lines of tests change, the limit is %v", [lines, limit]),
		"value": lines,
		"limit": limit,
	}
}

findings contains finding if {
	files := count(input.files)
	limit := data.limits[files_key]
	files > limit
	finding := {
		"rule": "size.files",
		"effect": "deny",
		"message": sprintf("%v files change, the limit is %v", [files, limit]),
		"value": files,
		"limit": limit,
	}
}
