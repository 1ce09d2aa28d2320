# Files that no automatic patch may touch, because they decide about something other than how
# the service behaves: data, delivery, permissions, what code comes in from outside.
package remediator.rules.banned

rules := {name | some name, _ in categories} | {"banned.protected"}

# Patterns are compared with the lower-case path; "^" is its beginning.
categories := {
	"banned.migrations": {
		"what": "a database migration",
		"patterns": [`(^|/)(db/)?(migrations?|migrate|alembic|flyway|liquibase)/`, `(^|/)v[0-9._]+__[^/]*\.sql$`],
	},
	"banned.ci": {
		"what": "part of the delivery pipeline",
		"patterns": [
			`^\.github/(workflows|actions)/`, `^\.gitlab-ci\.ya?ml$`, `^\.gitlab/`, `^\.circleci/`, `^\.buildkite/`, `^\.drone\.ya?ml$`,
			`(^|/)jenkinsfile$`, `^azure-pipelines[^/]*\.ya?ml$`, `^bitbucket-pipelines\.ya?ml$`, `^\.travis\.ya?ml$`, `^\.tekton/`,
			`^\.ci/`, `(^|/)action\.ya?ml$`, `^\.pre-commit-config\.ya?ml$`, `^\.husky/`, `^\.githooks/`, `^cloudbuild\.ya?ml$`,
		],
	},
	"banned.policy": {
		"what": "remediator's own configuration or policy",
		"patterns": [`^\.remediator\.ya?ml$`, `^\.remediator/`, `\.rego$`],
	},
	"banned.owners": {
		"what": "what decides who reviews",
		"patterns": [`^(\.github/|\.gitlab/|docs/)?codeowners$`, `(^|/)owners(_aliases)?$`, `^\.mailmap$`],
	},
	"banned.dependencies": {
		"what": "a list of dependencies or their lock",
		"patterns": [
			`(^|/)go\.(mod|sum|work|work\.sum)$`, `(^|/)(package|package-lock|npm-shrinkwrap)\.json$`, `(^|/)(yarn\.lock|pnpm-lock\.yaml|bun\.lockb?)$`,
			`(^|/)\.(npmrc|yarnrc|yarnrc\.yml)$`, `(^|/)[^/]*requirements[^/]*\.(txt|in)$`, `(^|/)(pyproject\.toml|setup\.py|setup\.cfg|pipfile|pipfile\.lock|poetry\.lock|uv\.lock|pdm\.lock)$`,
			`(^|/)(pom\.xml|build\.gradle(\.kts)?|settings\.gradle(\.kts)?|gradle\.lockfile|gradle-wrapper\.properties)$`,
			`(^|/)(cargo\.(toml|lock)|gemfile(\.lock)?|composer\.(json|lock)|mix\.(exs|lock))$`, `^\.gitmodules$`,
		],
	},
	"banned.secrets": {
		"what": "a place for secrets",
		"patterns": [
			`\.(pem|key|p12|pfx|jks|keystore|kdbx|gpg|age)$`, `(^|/)\.env(\.[^/]*)?$`, `(^|/)id_(rsa|dsa|ecdsa|ed25519)[^/]*$`,
			`(^|/)(secrets?|credentials)(/|\.(ya?ml|json|env|ini|toml|txt|properties)$)`, `(^|/)\.(netrc|pgpass|htpasswd)$`, `(^|/)\.?(aws|kube|docker)/(config|credentials|config\.json)$`,
		],
	},
	"banned.generated": {
		"what": "generated or vendored code",
		"patterns": [
			`\.pb(\.gw|\.validate)?\.go$`, `_grpc\.pb\.go$`, `_pb2(_grpc)?\.pyi?$`, `(^|/)zz_generated[^/]*$`, `[._]gen(erated)?\.[a-z]+$`,
			`\.min\.(js|css)$`, `(^|/)(node_modules|vendor|third_party|bower_components|dist|__generated__|generated)/`, `_pb\.(js|d\.ts)$`,
		],
	},
	"banned.git": {
		"what": "what tells git how to treat files",
		"patterns": [`(^|/)\.git(attributes|ignore|modules)$`, `(^|/)\.git/`],
	},
}

# joined holds one expression per category: one match instead of many.
joined := {rule: concat("|", category.patterns) | some rule, category in categories}

paths contains name if {
	some file in input.files
	some key in ["path", "old_path"]
	name := object.get(file, key, "")
	name != ""
}

findings contains finding if {
	some path in paths
	some rule, category in categories
	regex.match(joined[rule], lower(path))
	finding := {
		"rule": rule,
		"effect": effect(rule),
		"path": path,
		"message": sprintf("%s is %s, which no automatic patch may touch", [path, category.what]),
		"value": path,
		"limit": category.what,
	}
}

# Taking a commit back may take its dependency back too; a person has to look at that.
effect(rule) := "hold" if {
	rule == "banned.dependencies"
	input.rung == "revert"
} else := "deny"

# Paths that the configuration names: the repository's own policy, golden traces.
findings contains finding if {
	some path in paths
	some prefix in data.protected
	inside(path, trim_suffix(prefix, "/"))
	finding := {
		"rule": "banned.protected",
		"effect": "deny",
		"path": path,
		"message": sprintf("%s lies in %s, which the configuration protects", [path, prefix]),
		"value": path,
		"limit": prefix,
	}
}

inside(path, prefix) if path == prefix

inside(path, prefix) if startswith(path, concat("", [prefix, "/"]))
