package config

import (
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/remediator/remediator/incident"
)

var (
	alertFormats  = incident.Formats()
	mappingFields = incident.MappingFields()
	roles         = []string{"read", "approve", "administer"}
)

var (
	sourceName     = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
	repositoryName = regexp.MustCompile(`^[A-Za-z0-9](-?[A-Za-z0-9]){0,38}/[A-Za-z0-9._-]{1,100}$`)
	headerName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)
	tokenName      = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 @._-]{0,63}$`)
	tokenHash      = regexp.MustCompile(`^[0-9a-f]{64}$`)
	prefixName     = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_-]{0,31}$`)
	slackUser      = regexp.MustCompile(`^[UW][A-Z0-9]{2,20}$`)
	slackChannel   = regexp.MustCompile(`^([CG][A-Z0-9]{2,20}|#[^\s#]{1,80})$`)
	branchName     = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._/-]{0,254}$`)
)

const (
	minWindow, maxWindow = 1 << 20, 1 << 40 // bytes of telemetry
	minBody              = 1 << 10          // bytes of one notification
)

// Validate returns what is wrong with the configuration beyond its shape.
func (s Server) Validate() []Problem {
	var ps problems
	local := ps.address("listen", s.Listen)
	if s.Metrics != otlpOff {
		ps.address("metrics", s.Metrics)
	}
	switch {
	case s.URL != "":
		ps.secureURL("url", s.URL)
	case !local:
		ps.add(Problem{Path: "url", Message: "is required where listen is not bound to this machine: pull requests link to it",
			Fix: `add url: "https://remediator.example.com"`})
	}
	if (s.TLS.CertFile == "") != (s.TLS.KeyFile == "") {
		ps.add(Problem{Path: "tls", Message: "cert_file and key_file belong together", Fix: "set both or none"})
	}
	s.OTLP.validate(&ps)
	s.NATS.validate(&ps)
	if s.Retention.Files > s.Retention.Cases {
		ps.add(Problem{Path: "retention.files", Message: fmt.Sprintf("files are kept for %v and the cases they belong to for %v", s.Retention.Files, s.Retention.Cases),
			Fix: "keep cases as long as their files, or longer"})
	}
	for _, name := range slices.Sorted(maps.Keys(s.Alerts)) {
		s.Alerts[name].validate(&ps, join("alerts", name), name, local)
	}
	s.GitHub.validate(&ps)
	s.validateRepositories(&ps)
	s.Slack.validate(&ps)
	s.Model.validate(&ps, "model")
	s.Sources.validate(&ps)
	s.validateTokens(&ps)
	if s.PasswordFile != "" && s.SigningKeyFile == "" {
		ps.add(Problem{Path: "signing_key_password_file", Message: "a password without a key", Fix: "add signing_key_file"})
	}
	return ps
}

func (o OTLP) validate(ps *problems) {
	for key, address := range map[string]string{"otlp.grpc": o.GRPC, "otlp.http": o.HTTP} {
		if address != otlpOff {
			ps.address(key, address)
		}
	}
	switch n, err := ParseSize(o.Memory); {
	case err != nil:
		ps.add(Problem{Path: "otlp.max_size", Message: err.Error()})
	case n < minWindow || n > maxWindow:
		ps.add(Problem{Path: "otlp.max_size", Message: "must be between 1MiB and 1TiB"})
	}
	if o.Keep < o.Before {
		ps.add(Problem{Path: "otlp.keep", Message: fmt.Sprintf("telemetry is kept for %v, but a case draws on the %v before its alert", o.Keep, o.Before),
			Fix: "keep at least twice as long, so that a healthy window is left to compare with"})
	}
}

func (n NATS) validate(ps *problems) {
	if n.URL != "" {
		for _, one := range strings.Split(n.URL, ",") {
			u, err := url.Parse(strings.TrimSpace(one))
			switch {
			case err != nil || !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) || u.Hostname() == "":
				ps.add(Problem{Path: "nats.url", Message: "is not the URL of a NATS server", Fix: `write "nats://host:4222", several with commas between`})
			case u.User != nil:
				ps.add(Problem{Path: "nats.url", Message: "carries a user name or password", Fix: "use credentials_file"})
			}
		}
	} else {
		if n.CredentialsFile != "" {
			ps.add(Problem{Path: "nats.credentials_file", Message: "the embedded server needs no credentials", Fix: "add nats.url or remove it"})
		}
		if n.Replicas > 1 {
			ps.add(Problem{Path: "nats.replicas", Message: "the embedded server is one and keeps one copy", Fix: "add nats.url of a cluster or remove it"})
		}
	}
	if n.Replicas != 1 && n.Replicas != 3 && n.Replicas != 5 {
		ps.add(Problem{Path: "nats.replicas", Message: fmt.Sprintf("%d copies have no majority to lose one by", n.Replicas), Fix: "use 1, 3 or 5"})
	}
	if !prefixName.MatchString(n.Prefix) {
		ps.add(Problem{Path: "nats.prefix", Message: "is made of letters, digits, '_' and '-', at most 32"})
	}
}

func (a AlertSource) validate(ps *problems, at, name string, local bool) {
	if !sourceName.MatchString(name) {
		ps.add(Problem{Path: at, Message: "a source's name is part of its URL: lower-case letters, digits and '-'"})
	}
	if a.Format == "" {
		ps.add(Problem{Path: at, Message: "format is required", Fix: "add format: one of " + strings.Join(alertFormats, ", ")})
	}
	ps.choice(at+".format", a.Format, alertFormats)
	if a.BearerFile == "" && a.SecretFile == "" && !local {
		key := "bearer_file"
		if a.Format == "pagerduty" {
			key = "secret_file"
		}
		ps.add(Problem{Path: at, Message: "anybody could send alerts: listen is not bound to this machine", Fix: "add " + key})
	}
	for key, header := range map[string]string{"signature_header": a.SignatureHeader, "timestamp_header": a.TimestampHeader} {
		if header != "" && !headerName.MatchString(header) {
			ps.add(Problem{Path: at + "." + key, Message: strconv.Quote(header) + " is not the name of a header"})
		} else if slices.ContainsFunc([]string{"Authorization", "Content-Encoding", "Content-Length", "Content-Type", "Host"}, func(h string) bool { return strings.EqualFold(h, header) }) {
			ps.add(Problem{Path: at + "." + key, Message: "the header " + header + " has another use", Fix: "use one of the sender's own"})
		}
	}
	if a.TimestampHeader != "" {
		if a.SecretFile == "" {
			ps.add(Problem{Path: at + ".timestamp_header", Message: "a time stamp counts only when it is signed", Fix: "add secret_file or remove it"})
		}
		if a.Format == "pagerduty" {
			ps.add(Problem{Path: at + ".timestamp_header", Message: "PagerDuty signs the body alone", Fix: "remove it"})
		}
	}
	switch n, err := ParseSize(a.MaxBody); {
	case err != nil:
		ps.add(Problem{Path: at + ".max_body", Message: err.Error()})
	case n < minBody || n > incident.MaxBody:
		ps.add(Problem{Path: at + ".max_body", Message: fmt.Sprintf("must be between 1KiB and %dMiB", incident.MaxBody>>20)})
	}
	if a.Repository != "" {
		ps.repository(at+".repository", a.Repository)
	}
	switch {
	case a.Format != "generic" && len(a.Mapping) > 0:
		ps.add(Problem{Path: at + ".mapping", Message: "only the format generic has a mapping", Fix: "remove it, or set format: generic"})
	case a.Format == "generic":
		for _, w := range incident.Mapping(a.Mapping).Check() {
			path := at + ".mapping"
			if w.Field != "" {
				path = join(path, w.Field)
				if near := nearest(w.Field, incident.MappingFields()); near != "" && near != w.Field {
					w.Fix = "did you mean " + strconv.Quote(near) + "?"
				}
			}
			ps.add(Problem{Path: path, Message: w.What, Fix: w.Fix})
		}
	}
}

func (g GitHub) validate(ps *problems) {
	ps.secureURL("github.url", g.URL)
	switch {
	case g.AppID < 0:
		ps.add(Problem{Path: "github.app_id", Message: "is a positive number", Fix: "copy it from the App's settings page"})
	case g.AppID > 0 && g.PrivateKeyFile == "":
		ps.add(Problem{Path: "github", Message: "app_id needs private_key_file", Fix: "generate a private key on the App's settings page and name its file"})
	case g.AppID == 0 && g.PrivateKeyFile != "":
		ps.add(Problem{Path: "github", Message: "private_key_file needs app_id", Fix: "copy the App ID from the App's settings page"})
	}
	if g.AppID > 0 && g.TokenFile != "" {
		ps.add(Problem{Path: "github.token_file", Message: "there is an App already", Fix: "remove it, or app_id and private_key_file"})
	}
}

func (s Server) validateRepositories(ps *problems) {
	if len(s.Repositories) > maxServedRepositories {
		ps.add(Problem{Path: "repositories", Message: fmt.Sprintf("are more than %d", maxServedRepositories)})
		return
	}
	names, services := map[string]bool{}, map[string]string{}
	for i, r := range s.Repositories {
		at := fmt.Sprintf("repositories[%d]", i)
		if r.Name == "" {
			ps.add(Problem{Path: at, Message: "name is required", Fix: `add name: "owner/name"`})
			continue
		}
		ps.repository(at+".name", r.Name)
		if key := strings.ToLower(r.Name); names[key] {
			ps.add(Problem{Path: at + ".name", Message: strconv.Quote(r.Name) + " is there twice", Fix: "remove one of them"})
		} else {
			names[key] = true
		}
		if r.Path == "" && s.GitHub.AppID == 0 && s.GitHub.TokenFile == "" {
			ps.add(Problem{Path: at, Message: "cannot be reached: there is no GitHub App and no token", Fix: "add github.app_id and github.private_key_file, or path of a clone"})
		}
		if r.Branch != "" && (!branchName.MatchString(r.Branch) || strings.Contains(r.Branch, "..") || strings.HasSuffix(r.Branch, "/") || strings.HasSuffix(r.Branch, ".lock")) {
			ps.add(Problem{Path: at + ".branch", Message: strconv.Quote(r.Branch) + " is not the name of a branch", Fix: "write it without refs/heads/"})
		}
		ps.choice(at+".autonomy", r.Autonomy, autonomies)
		for j, service := range r.Services {
			here := fmt.Sprintf("%s.services[%d]", at, j)
			if !serviceName.MatchString(service) {
				ps.add(Problem{Path: here, Message: "a service's name is made of letters, digits, '.', '_', '-' and '/'"})
			} else if other, taken := services[service]; taken {
				ps.add(Problem{Path: here, Message: strconv.Quote(service) + " belongs to " + other + " already", Fix: "remove one of them"})
			} else {
				services[service] = r.Name
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Alerts)) {
		if r := s.Alerts[name].Repository; repositoryName.MatchString(r) && !names[strings.ToLower(r)] {
			ps.add(Problem{Path: join("alerts", name) + ".repository", Message: "there is no repository " + strconv.Quote(r), Fix: "add it under repositories"})
		}
	}
}

func (k Slack) validate(ps *problems) {
	ps.secureURL("slack.url", k.URL)
	if k.TokenFile == "" && k.SigningSecretFile == "" && k.Channel == "" {
		if len(k.Approvers) > 0 {
			ps.add(Problem{Path: "slack", Message: "approvers without a channel", Fix: "add token_file, signing_secret_file and channel"})
		}
		return
	}
	for key, value := range map[string]string{"token_file": k.TokenFile, "signing_secret_file": k.SigningSecretFile, "channel": k.Channel} {
		if value == "" {
			ps.add(Problem{Path: "slack", Message: key + " is required", Fix: "add " + key + ", or remove slack: everything works by comments too"})
		}
	}
	if k.Channel != "" && !slackChannel.MatchString(k.Channel) {
		ps.add(Problem{Path: "slack.channel", Message: "is not a channel", Fix: `write its id, "C0123456789", or "#name"`})
	}
	for i, id := range k.Approvers {
		if !slackUser.MatchString(id) {
			ps.add(Problem{Path: fmt.Sprintf("slack.approvers[%d]", i), Message: strconv.Quote(id) + " is not the id of a Slack user",
				Fix: `copy the member id from the person's profile, "U0123456789"; names can be changed by anybody`})
		}
	}
}

func (s Server) validateTokens(ps *problems) {
	names, hashes := map[string]bool{}, map[string]bool{}
	for i, t := range s.Tokens {
		at := fmt.Sprintf("tokens[%d]", i)
		for key, value := range map[string]string{"name": t.Name, "role": t.Role, "sha256": t.SHA256} {
			if value == "" {
				ps.add(Problem{Path: at, Message: key + " is required", Fix: "add " + key})
			}
		}
		if t.Name != "" && !tokenName.MatchString(t.Name) {
			ps.add(Problem{Path: at + ".name", Message: "is made of letters, digits, blanks, '@', '.', '_' and '-', at most 64"})
		}
		if names[t.Name] && t.Name != "" {
			ps.add(Problem{Path: at + ".name", Message: strconv.Quote(t.Name) + " is there twice", Fix: "give every token a name of its own: it stands in the evidence"})
		}
		ps.choice(at+".role", t.Role, roles)
		if t.SHA256 != "" && !tokenHash.MatchString(t.SHA256) {
			ps.add(Problem{Path: at + ".sha256", Message: "is not a SHA-256 in lower-case hex (64 digits)", Fix: "write the hash, never the token itself: printf %s TOKEN | sha256sum"})
		} else if hashes[t.SHA256] && t.SHA256 != "" {
			ps.add(Problem{Path: at + ".sha256", Message: "is there twice", Fix: "give every token a hash of its own"})
		}
		names[t.Name], hashes[t.SHA256] = true, true
	}
}

func (ps *problems) repository(at, name string) {
	if !repositoryName.MatchString(name) || strings.HasSuffix(name, "/.") || strings.HasSuffix(name, "/..") {
		ps.add(Problem{Path: at, Message: strconv.Quote(name) + " is not a repository", Fix: `write "owner/name"`})
	}
}

// Warnings are what is allowed and may still not be meant: open doors, missing files, secrets that
// others can read. It reads the files that the configuration names.
func (s Server) Warnings() []Problem {
	var ps problems
	local := s.Local()
	if !local && s.TLS.CertFile == "" {
		ps.add(Problem{Path: "tls", Message: "tokens and alerts travel unencrypted", Fix: "add cert_file and key_file, unless something in front ends TLS"})
	}
	if !local && len(s.Tokens) == 0 {
		ps.add(Problem{Path: "tokens", Message: "nobody can log in", Fix: "add one; `remediator app token` makes it"})
	}
	for key, address := range map[string]string{"otlp.grpc": s.OTLP.GRPC, "otlp.http": s.OTLP.HTTP} {
		var ignored problems
		if address != otlpOff && !ignored.address(key, address) && s.OTLP.TokenFile == "" {
			ps.add(Problem{Path: key, Message: "everybody who reaches the port can send telemetry", Fix: "add otlp.token_file, or keep the port within the cluster"})
		}
	}
	if s.GitHub.AppID > 0 && s.GitHub.WebhookSecretFile == "" {
		ps.add(Problem{Path: "github.webhook_secret_file", Message: "GitHub's webhooks are refused without it, so comments, merges and re-runs are not seen", Fix: "add it"})
	}
	if len(s.Alerts) == 0 {
		ps.add(Problem{Path: "alerts", Message: "no alert can come in", Fix: "add a source"})
	}
	s.eachSecret(func(key string, path *string) {
		if secret, err := ReadSecret(*path); err != nil {
			ps.add(Problem{Path: key, Message: err.Error()})
		} else if secret.Warning != "" {
			ps.add(Problem{Path: key, Message: secret.Warning})
		}
	})
	slices.SortStableFunc(ps, func(a, b Problem) int { return strings.Compare(a.Path, b.Path) })
	return ps
}
