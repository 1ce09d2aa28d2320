package config

import (
	"time"

	"github.com/invopop/jsonschema"
)

const (
	instant = Duration(time.Millisecond)
	second  = Duration(time.Second)
	hour    = Duration(time.Hour)
	day     = 24 * hour
	year    = 365 * day
)

// serverNotes documents every key of the server's configuration.
var serverNotes = withSources(map[string]note{
	"listen":                     {text: "Address of webhooks, API and page, host:port.", def: DefaultListen},
	"metrics":                    {text: "Address that Prometheus scrapes, host:port; off for none.", def: DefaultMetrics},
	"url":                        {text: "How people and pull requests reach listen; https unless it is this machine."},
	"tls":                        {text: "TLS of listen and of the OTLP ports."},
	"tls.cert_file":              {text: "Certificate chain in PEM; read again when it changes."},
	"tls.key_file":               {text: "Private key in PEM; read again when it changes."},
	"data_dir":                   {text: "Directory of the service's state and clones."},
	"workers":                    {text: "Cases worked out at a time by this process.", def: DefaultWorkers, low: 1, high: 64},
	"otlp":                       {text: "Receiver of telemetry, and the rolling window that cases draw on."},
	"otlp.grpc":                  {text: `Address for OTLP over gRPC, "off" for none.`, def: DefaultOTLPGRPC},
	"otlp.http":                  {text: `Address for OTLP over HTTP, "off" for none.`, def: DefaultOTLPHTTP},
	"otlp.token_file":            {text: "File of the bearer token that senders have to show."},
	"otlp.keep":                  {text: "Age of the oldest telemetry kept.", def: DefaultKeep.String(), least: second, most: 30 * day},
	"otlp.max_size":              {text: "Size of the window; the oldest telemetry goes first.", def: DefaultWindowSize, pattern: sizePattern},
	"otlp.before":                {text: "How far before its alert a case looks.", def: DefaultBefore.String(), least: second, most: day},
	"otlp.after":                 {text: "How far after its alert a case looks.", def: DefaultAfter.String(), least: instant, most: day},
	"otlp.settle":                {text: "How long a case waits for telemetry that is on its way.", def: DefaultSettle.String(), least: instant, most: hour},
	"nats":                       {text: "Existing NATS cluster with JetStream; without url a server is embedded."},
	"nats.url":                   {text: "nats://host:4222, several with commas between."},
	"nats.credentials_file":      {text: "Credentials file as nsc makes it."},
	"nats.replicas":              {text: "Copies of streams and buckets in the cluster: 1, 3 or 5.", def: 1, low: 1, high: 5},
	"nats.prefix":                {text: "Begin of the names of streams and buckets.", def: DefaultNATSPrefix, pattern: prefixName.String()},
	"retention":                  {text: "How long ended cases are kept."},
	"retention.cases":            {text: "Age at which an ended case is erased.", def: DefaultRetainCases.String(), least: second, most: 10 * year},
	"retention.files":            {text: "Age at which the evidence and reports of an ended case are erased.", def: DefaultRetainFiles.String(), least: second, most: 10 * year},
	"breaker":                    {text: "Holds everything for a person when many cases open at once."},
	"breaker.cases":              {text: "Cases that trip it.", def: DefaultBreakerCases, low: 2, high: 10_000},
	"breaker.within":             {text: "Time within which they open.", def: DefaultBreakerWithin.String(), least: second, most: day},
	"alerts":                     {text: "Senders of alerts by name, each at /webhooks/alerts/NAME."},
	"alerts.*.format":            {text: "Format of the notifications.", enum: alertFormats},
	"alerts.*.bearer_file":       {text: "File of the token in the Authorization header. This or secret_file is required unless listen is bound to this machine."},
	"alerts.*.secret_file":       {text: "File of the secret of an HMAC-SHA256 signature."},
	"alerts.*.signature_header":  {text: "Header of the signature; default the vendor's, else " + DefaultSignature + ".", pattern: headerName.String()},
	"alerts.*.timestamp_header":  {text: "Header of the Unix time that is signed with the body, as Grafana does where one is set.", pattern: headerName.String()},
	"alerts.*.replay_window":     {text: "Age at which a signed time stamp is refused.", def: DefaultReplayWindow.String(), least: second, most: day},
	"alerts.*.max_body":          {text: "Largest notification, at most 8MiB.", def: DefaultMaxBody, pattern: sizePattern},
	"alerts.*.per_minute":        {text: "Notifications a minute; more are asked to come again later.", def: DefaultPerMinute, low: 1, high: 1_000_000},
	"alerts.*.mapping":           {text: "Of the format generic: field of the incident to JSON pointer (RFC 6901). name and starts_at are required."},
	"alerts.*.repository":        {text: "Repository that the source's alerts are about, owner/name.", pattern: repositoryName.String()},
	"github":                     {text: "The GitHub App, or a token in its place."},
	"github.url":                 {text: "URL of the API.", def: DefaultGitHub},
	"github.app_id":              {text: "App ID, from the App's settings page.", low: 1, high: 1<<31 - 1},
	"github.private_key_file":    {text: "Private key of the App in PEM."},
	"github.webhook_secret_file": {text: "File of the secret that GitHub signs webhooks with."},
	"github.token_file":          {text: "File of a token, where there is no App."},
	"repositories":               {text: "Repositories that cases may be proposed to."},
	"repositories[]":             {},
	"repositories[].name":        {text: "owner/name at GitHub.", pattern: repositoryName.String()},
	"repositories[].path":        {text: "Clone on this machine in place of GitHub; nothing is proposed then but a branch."},
	"repositories[].branch":      {text: "Target branch; default the repository's own.", pattern: branchName.String()},
	"repositories[].autonomy":    {text: "Caps what the repository's configuration asks for.", enum: autonomies},
	"repositories[].services":    {text: "Services by their names in telemetry; without them the repository's own configuration says."},
	"slack":                      {text: "Chat in which cases are approved."},
	"slack.url":                  {text: "URL of the API, for a proxy.", def: DefaultSlack},
	"slack.token_file":           {text: "File of the bot token."},
	"slack.signing_secret_file":  {text: "File of the secret that Slack signs its requests with."},
	"slack.channel":              {text: "Id or #name of the channel.", pattern: slackChannel.String()},
	"slack.approvers":            {text: "Ids of the users who may approve; everybody in the channel when absent."},
	"model":                      notes["model"],
	"model.url":                  notes["model.url"],
	"model.name":                 notes["model.name"],
	"model.context":              notes["model.context"],
	"model.timeout":              notes["model.timeout"],
	"tokens":                     {text: "Who may use the API and the page."},
	"tokens[]":                   {},
	"tokens[].name":              {text: "Name in evidence and logs.", pattern: tokenName.String()},
	"tokens[].role":              {text: "What the token allows.", enum: roles},
	"tokens[].sha256":            {text: "Hash of the token in hex; `remediator app token` makes both.", pattern: tokenHash.String()},
	"signing_key_file":           {text: "Key as cosign makes it; one is made below data_dir when absent."},
	"signing_key_password_file":  {text: "File of the key's password."},
	"alerts.*":                   {},
})

// refineServer adds what the notes have no words for.
func refineServer(s *jsonschema.Schema, at string) {
	switch at {
	case "alerts":
		s.PropertyNames = &jsonschema.Schema{Pattern: sourceName.String()}
	case "alerts.*.mapping":
		s.PropertyNames = &jsonschema.Schema{}
		for _, field := range mappingFields {
			s.PropertyNames.Enum = append(s.PropertyNames.Enum, field)
		}
		s.Required = []string{"name", "starts_at"}
	case "nats.replicas":
		s.Enum = []any{1, 3, 5}
	case "slack.approvers":
		s.Items.Pattern = slackUser.String()
	}
}
