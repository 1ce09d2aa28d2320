# Tests of the default rules. Every rule has a test named test_RULE_..., with dots written as
# underscores; rules_test.go fails for a rule without one.
package remediator.rules_test

import data.remediator.decision

limits := {
	"confidence.low": 0.5, "size.files": 3, "size.lines": 10, "size.revert_files": 4, "size.revert_lines": 20, "size.test_lines": 30,
}

good := {
	"rung": "code", "service": "billing", "service_paths": ["services/billing", "shared/**/billing_*.go"],
	"files": [
		{"path": "services/billing/client.go", "kind": "source", "status": "modified", "added": 4, "deleted": 2},
		{"path": "services/billing/client_retry_test.go", "kind": "test", "status": "added", "added": 20, "deleted": 0},
	],
	"flag": {"name": "billing-retry", "provider": "env", "default": false},
	"api_changes": [], "tests_added": 1, "telemetry_added": ["retry.count"], "weakened_checks": [], "confidence": 0.9,
}

# with_file is the good patch with another file instead of its first.
with_file(file) := object.union(good, {"files": [
	object.union({"kind": "source", "status": "modified", "added": 1, "deleted": 1}, file),
	good.files[1],
]})

found(facts) := result if {
	d := decision with input as facts with data.limits as limits with data.protected as ["golden/"]
	result := {concat(":", [f.rule, f.effect]) | some f in d.findings}
}

test_good_patch_is_allowed if found(good) == set()

# scope

test_scope_paths_denies_a_file_of_another_service if {
	found(with_file({"path": "services/orders/x.go"})) == {"scope.paths:deny"}
}

test_scope_paths_denies_a_similar_prefix if {
	found(with_file({"path": "services/billing2/x.go"})) == {"scope.paths:deny"}
}

test_scope_paths_denies_a_rename_from_outside if {
	found(with_file({"path": "services/billing/x.go", "old_path": "other/x.go", "status": "renamed"})) == {"scope.paths:deny"}
}

test_scope_paths_takes_globs if {
	found(with_file({"path": "shared/a/b/billing_client.go"})) == set()
	found(with_file({"path": "shared/billing_client.go"})) == set()
	found(with_file({"path": "shared/a/b/orders.go"})) == {"scope.paths:deny"}
}

test_scope_paths_takes_the_whole_repository if {
	found(object.union(with_file({"path": "anything.go"}), {"service_paths": ["."]})) == set()
	found(object.union(with_file({"path": "any/thing.go"}), {"service_paths": ["**"]})) == set()
	found(object.union(with_file({"path": "any/thing.go"}), {"service_paths": ["./any/"]})) == {"scope.paths:deny"}
}

test_scope_paths_lets_a_file_of_flags_lie_elsewhere if {
	found(with_file({"path": "deploy/flags.json", "kind": "flag"})) == set()
}

test_scope_unknown_holds if {
	found(object.union(good, {"service_paths": []})) == {"scope.unknown:hold"}
}

test_scope_unknown_does_not_concern_a_persons_diff if {
	found(object.union(good, {"service_paths": [], "rung": ""})) == set()
}

# size

test_size_lines_denies_above_the_limit if {
	found(with_file({"path": "services/billing/x.go", "added": 8, "deleted": 3})) == {"size.lines:deny"}
}

test_size_lines_allows_at_the_limit if {
	found(with_file({"path": "services/billing/x.go", "added": 8, "deleted": 2})) == set()
}

test_size_lines_lets_a_revert_be_larger if {
	revert := object.union(with_file({"path": "services/billing/x.go", "added": 8, "deleted": 12}), {"rung": "revert"})
	found(revert) == set()
	larger := object.union(with_file({"path": "services/billing/x.go", "added": 8, "deleted": 13}), {"rung": "revert"})
	found(larger) == {"size.lines:deny"}
}

test_size_test_lines_holds if {
	found(with_file({"path": "services/billing/x_test.go", "kind": "test", "added": 11, "deleted": 0})) == {"size.test_lines:hold"}
}

test_size_files_denies if {
	files := [{"path": sprintf("services/billing/%v.go", [i]), "kind": "source", "status": "modified", "added": 1, "deleted": 0} | some i in numbers.range(1, 4)]
	found(object.union(good, {"files": files})) == {"size.files:deny"}
	found(object.union(good, {"files": files, "rung": "revert"})) == set()
}

# banned

banned(path) := {rule | some rule in found(object.union(with_file({"path": path}), {"service_paths": ["."]}))}

test_banned_migrations if {
	every path in ["db/migrations/1.sql", "Migrations/2.py", "a/alembic/x.py", "sql/V1_2__add.sql"] {
		banned(path) == {"banned.migrations:deny"}
	}
}

test_banned_ci if {
	every path in [".github/workflows/x.yml", ".gitlab-ci.yml", "Jenkinsfile", ".circleci/config.yml", ".ci/run", "action.yml"] {
		banned(path) == {"banned.ci:deny"}
	}
}

test_banned_policy if {
	every path in [".remediator.yaml", "policies/x.rego", ".remediator/policy.json"] {
		banned(path) == {"banned.policy:deny"}
	}
}

test_banned_owners if {
	every path in ["CODEOWNERS", ".github/CODEOWNERS", "docs/codeowners", "pkg/OWNERS"] {
		banned(path) == {"banned.owners:deny"}
	}
}

test_banned_dependencies if {
	every path in ["go.mod", "a/go.sum", "package.json", "web/yarn.lock", "requirements-dev.txt", "pyproject.toml", "a/pom.xml", "build.gradle.kts", "Cargo.lock"] {
		banned(path) == {"banned.dependencies:deny"}
	}
}

test_banned_dependencies_holds_a_revert if {
	found(object.union(with_file({"path": "services/billing/go.mod"}), {"rung": "revert"})) == {"banned.dependencies:hold"}
}

test_banned_secrets if {
	every path in ["tls/server.pem", ".env", "a/.env.production", "id_rsa", "config/secrets.yaml", "secrets/a", ".netrc"] {
		banned(path) == {"banned.secrets:deny"}
	}
}

test_banned_generated if {
	every path in ["api/x.pb.go", "x_pb2.py", "pkg/zz_generated_deepcopy.go", "mock.gen.go", "a.min.js", "vendor/a/b.go", "web/dist/x.js"] {
		banned(path) == {"banned.generated:deny"}
	}
}

test_banned_git if {
	every path in [".gitattributes", "a/.gitignore", "sub/.git/config"] {
		banned(path) == {"banned.git:deny"}
	}
}

test_banned_protected_denies_what_the_configuration_names if {
	banned("golden/a.json") == {"banned.protected:deny"}
	banned("golden") == {"banned.protected:deny"}
	banned("golden2/a.json") == set()
}

test_banned_looks_at_the_old_name_too if {
	found(with_file({"path": "services/billing/x.yml", "old_path": "services/billing/go.mod", "status": "renamed"})) == {"banned.dependencies:deny"}
}

test_banned_nothing_ordinary if {
	every path in ["main.go", "services/secretsanta/app.py", "owners/list.go", "environment.py", "distance.go", "go.model.go", "keyring.go", "ci.go", "migration_notes.md"] {
		banned(path) == set()
	}
}

# interface

test_interface_changed_denies if {
	found(object.union(good, {"api_changes": [{"path": "services/billing/api.go", "symbol": "Charge", "change": "removed"}]})) == {"interface.changed:deny"}
}

test_interface_changed_says_what if {
	d := decision with input as object.union(good, {"api_changes": [{"path": "api.go", "symbol": "Charge", "change": "signature"}]})
		with data.limits as limits
		with data.protected as []
	some f in d.findings
	f.message == "Charge is public and its signature changes in api.go"
}

test_interface_changed_holds_a_revert if {
	change := {"path": "services/billing/api.go", "symbol": "Charge", "change": "removed"}
	found(object.union(good, {"rung": "revert", "api_changes": [change]})) == {"interface.changed:hold"}
}

test_interface_schema_denies if {
	every path in ["api/x.proto", "docs/openapi.v1.yaml", "schema.graphql", "schema/init.sql", "schemas/order.json"] {
		banned(path) == {"interface.schema:deny"}
	}
}

# tests

test_tests_added_denies_a_code_change_without_one if {
	found(object.union(good, {"tests_added": 0})) == {"tests.added:deny"}
	found(object.union(good, {"tests_added": 0, "rung": "config"})) == set()
}

test_tests_removed_denies if {
	file := {"path": "services/billing/x_test.go", "kind": "test", "status": "deleted", "added": 0, "deleted": 5}
	found(with_file(file)) == {"tests.removed:deny"}
	found(object.union(with_file(file), {"rung": "revert"})) == {"tests.removed:hold"}
}

test_tests_changed_holds if {
	file := {"path": "services/billing/x_test.go", "kind": "test", "added": 1, "deleted": 1}
	found(with_file(file)) == {"tests.changed:hold"}
	found(with_file(object.union(file, {"deleted": 0}))) == set()
	found(object.union(with_file(file), {"rung": "revert"})) == set()
}

# telemetry

test_telemetry_added_denies_a_code_change_without_it if {
	found(object.union(good, {"telemetry_added": []})) == {"telemetry.added:deny"}
	found(object.union(good, {"telemetry_added": [], "rung": "config"})) == set()
}

# flag

test_flag_present_denies_a_code_change_without_it if {
	found(object.remove(good, ["flag"])) == {"flag.present:deny"}
	found(object.union(good, {"flag": {"name": ""}})) == {"flag.present:deny"}
	found(object.union(object.remove(good, ["flag"]), {"rung": "revert"})) == set()
}

test_flag_default_denies_on if {
	found(object.union(good, {"flag": {"name": "x", "default": true}})) == {"flag.default:deny"}
}

# content

test_content_empty_denies if {
	found(object.union(good, {"files": []})) == {"content.empty:deny"}
}

test_content_binary_denies if {
	found(with_file({"path": "services/billing/x.go", "binary": true})) == {"content.binary:deny"}
}

test_content_symlink_denies if {
	found(with_file({"path": "services/billing/x.go", "symlink": true})) == {"content.symlink:deny"}
}

test_content_mode_denies if {
	found(with_file({"path": "services/billing/x.go", "mode": "100755"})) == {"content.mode:deny"}
}

test_content_deleted_holds if {
	file := {"path": "services/billing/x.go", "status": "deleted"}
	found(with_file(file)) == {"content.deleted:hold"}
	found(object.union(with_file(file), {"rung": "revert"})) == set()
}

test_content_rung_denies_what_it_does_not_know if {
	found(object.union(good, {"rung": "magic"})) == {"content.rung:deny"}
}

# weakening

test_weakening_check_removed_holds if {
	found(object.union(good, {"weakened_checks": [{"path": "a.go", "line": 3, "what": "a validation"}]})) == {"weakening.check_removed:hold"}
}

# confidence

test_confidence_low_holds if {
	found(object.union(good, {"confidence": 0.49})) == {"confidence.low:hold"}
	found(object.union(good, {"confidence": 0.5})) == set()
	found(object.union(good, {"confidence": 0, "rung": ""})) == set()
}

# rules of a repository

test_user_findings_are_added if {
	d := decision with input as good
		with data.limits as limits
		with data.protected as []
		with data.remediator.user as {"own": {"deny": {"no"}, "hold": {{"rule": "r", "message": "wait", "path": "p", "effect": "allow"}, 7}}}
	{[f.rule, f.effect, f.message] | some f in d.findings} == {
		["user.own.deny", "deny", "no"], ["user.own.r", "hold", "wait"], ["user.own.hold", "hold", "7"],
	}
	"user.own" in d.rules
}
