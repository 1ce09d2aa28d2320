# A code change brings a test, and no patch takes tests away.
package remediator.rules.tests

rules := {"tests.added", "tests.removed", "tests.changed"}

findings contains finding if {
	input.rung == "code"
	input.tests_added < 1
	finding := {
		"rule": "tests.added",
		"effect": "deny",
		"message": sprintf("%v tests are added, a code change needs at least 1", [input.tests_added]),
		"value": input.tests_added,
		"limit": 1,
	}
}

findings contains finding if {
	some file in input.files
	file.kind == "test"
	file.status == "deleted"
	finding := {
		"rule": "tests.removed",
		"effect": removal,
		"path": file.path,
		"message": sprintf("the tests in %s are deleted", [file.path]),
		"value": file.deleted,
		"limit": 0,
	}
}

# A revert takes back the tests that came with the commit.
removal := "hold" if {
	input.rung == "revert"
} else := "deny"

findings contains finding if {
	input.rung != "revert"
	some file in input.files
	file.kind == "test"
	file.status != "deleted"
	file.deleted > 0
	finding := {
		"rule": "tests.changed",
		"effect": "hold",
		"path": file.path,
		"message": sprintf("%v lines of existing tests go from %s; the tests have to judge the patch, not the other way round", [file.deleted, file.path]),
		"value": file.deleted,
		"limit": 0,
	}
}
