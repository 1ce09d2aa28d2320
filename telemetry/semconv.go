package telemetry

// Attribute names of the current semantic conventions that other packages ask for.
// Whatever older name the sender used, the value is found under these.
const (
	AttrHTTPMethod     = "http.request.method"
	AttrHTTPStatus     = "http.response.status_code"
	AttrHTTPRoute      = "http.route"
	AttrHTTPResend     = "http.request.resend_count"
	AttrURLFull        = "url.full"
	AttrURLPath        = "url.path"
	AttrURLQuery       = "url.query"
	AttrURLScheme      = "url.scheme"
	AttrURLTemplate    = "url.template"
	AttrServerAddress  = "server.address"
	AttrServerPort     = "server.port"
	AttrClientAddress  = "client.address"
	AttrPeerService    = "peer.service"
	AttrRPCSystem      = "rpc.system.name"
	AttrRPCService     = "rpc.service"
	AttrRPCMethod      = "rpc.method"
	AttrRPCStatus      = "rpc.response.status_code"
	AttrDBSystem       = "db.system.name"
	AttrDBOperation    = "db.operation.name"
	AttrDBCollection   = "db.collection.name"
	AttrDBNamespace    = "db.namespace"
	AttrDBQuery        = "db.query.text"
	AttrDBSummary      = "db.query.summary"
	AttrMsgSystem      = "messaging.system"
	AttrMsgDestination = "messaging.destination.name"
	AttrMsgOperation   = "messaging.operation.type"
	AttrMsgOpName      = "messaging.operation.name"
	AttrMsgGroup       = "messaging.consumer.group.name"
	AttrCodeFile       = "code.file.path"
	AttrCodeLine       = "code.line.number"
	AttrCodeFunction   = "code.function.name"
	AttrCodeNamespace  = "code.namespace"
	AttrCodeStack      = "code.stacktrace"
	AttrErrorType      = "error.type"
	AttrExceptionType  = "exception.type"
	AttrExceptionMsg   = "exception.message"
	AttrExceptionStack = "exception.stacktrace"
	AttrExceptionEsc   = "exception.escaped"
	AttrFlagKey        = "feature_flag.key"
	AttrFlagVariant    = "feature_flag.result.variant"
	AttrCommit         = "vcs.ref.head.revision"
	AttrStatusText     = "otel.status_description"
	EventException     = "exception"
	// AttrRefType says how a span of OpenTracing refers to its parent: RefFollowsFrom when the parent did not wait.
	AttrRefType    = "opentracing.ref_type"
	RefFollowsFrom = "follows_from"
)

// aliases maps names of older conventions, of OpenTracing and of widespread private habits to
// the current ones (OpenTelemetry semantic conventions 1.37: the migration guides for HTTP,
// database, RPC, messaging and code attributes). It is the only such table.
var aliases = map[string]string{
	// HTTP and URL
	"http.method":                         AttrHTTPMethod,
	"http.status_code":                    AttrHTTPStatus,
	"http.url":                            AttrURLFull,
	"http.scheme":                         AttrURLScheme,
	"http.user_agent":                     "user_agent.original",
	"http.client_ip":                      AttrClientAddress,
	"http.host":                           AttrServerAddress,
	"http.server_name":                    AttrServerAddress,
	"http.path":                           AttrURLPath,
	"http.flavor":                         "network.protocol.version",
	"http.resend_count":                   AttrHTTPResend,
	"http.retry_count":                    AttrHTTPResend,
	"http.request_content_length":         "http.request.body.size",
	"http.response_content_length":        "http.response.body.size",
	"http.request.header.content_length":  "http.request.body.size",
	"http.response.header.content_length": "http.response.body.size",
	// network; net.peer.*, net.host.* and http.target depend on the kind, see rename
	"net.sock.peer.addr":    "network.peer.address",
	"net.peer.ip":           "network.peer.address",
	"net.sock.peer.port":    "network.peer.port",
	"net.sock.host.addr":    "network.local.address",
	"net.host.ip":           "network.local.address",
	"net.sock.host.port":    "network.local.port",
	"net.transport":         "network.transport",
	"net.protocol.name":     "network.protocol.name",
	"net.protocol.version":  "network.protocol.version",
	"net.sock.family":       "network.type",
	"net.app.protocol.name": "network.protocol.name",
	"peer.hostname":         AttrServerAddress,
	"peer.address":          "network.peer.address",
	"service.peer.name":     AttrPeerService,
	// RPC
	"rpc.system":                   AttrRPCSystem,
	"rpc.grpc.status_code":         AttrRPCStatus,
	"rpc.connect_rpc.error_code":   AttrRPCStatus,
	"rpc.jsonrpc.error_code":       AttrRPCStatus,
	"grpc.status_code":             AttrRPCStatus,
	"grpc.code":                    AttrRPCStatus,
	"status.code.grpc":             AttrRPCStatus,
	"rpc.connect_rpc.error_detail": "error.message",
	// database
	"db.system":               AttrDBSystem,
	"db.type":                 AttrDBSystem,
	"db.statement":            AttrDBQuery,
	"sql.query":               AttrDBQuery,
	"db.operation":            AttrDBOperation,
	"db.name":                 AttrDBNamespace,
	"db.instance":             AttrDBNamespace,
	"db.sql.table":            AttrDBCollection,
	"db.mongodb.collection":   AttrDBCollection,
	"db.cassandra.table":      AttrDBCollection,
	"db.cosmosdb.container":   AttrDBCollection,
	"db.redis.database_index": "db.namespace",
	"db.user":                 "db.user",
	// messaging
	"messaging.destination":                 AttrMsgDestination,
	"message_bus.destination":               AttrMsgDestination,
	"messaging.operation":                   AttrMsgOperation,
	"messaging.kafka.consumer.group":        AttrMsgGroup,
	"messaging.kafka.consumer_group":        AttrMsgGroup,
	"messaging.rocketmq.client_group":       AttrMsgGroup,
	"messaging.consumer_group":              AttrMsgGroup,
	"messaging.kafka.partition":             "messaging.destination.partition.id",
	"messaging.kafka.destination.partition": "messaging.destination.partition.id",
	"messaging.kafka.message.offset":        "messaging.kafka.offset",
	"messaging.message_id":                  "messaging.message.id",
	"messaging.conversation_id":             "messaging.message.conversation_id",
	"messaging.message_payload_size_bytes":  "messaging.message.body.size",
	// code. The namespace stays apart because a class or logger name alone is a lead too.
	"code.filepath":   AttrCodeFile,
	"code.file":       AttrCodeFile,
	"code.lineno":     AttrCodeLine,
	"code.line":       AttrCodeLine,
	"code.function":   AttrCodeFunction,
	"source.file":     AttrCodeFile,
	"source.line":     AttrCodeLine,
	"log.source.file": AttrCodeFile,
	"log.source.line": AttrCodeLine,
	"logger.name":     AttrCodeNamespace,
	"log.logger":      AttrCodeNamespace,
	// errors
	"error.kind":          AttrExceptionType,
	"error.object":        AttrExceptionType,
	"error.stack":         AttrExceptionStack,
	"stack":               AttrExceptionStack,
	"stacktrace":          AttrExceptionStack,
	"stack_trace":         AttrExceptionStack,
	"error.msg":           "error.message",
	"exc_info":            AttrExceptionStack,
	"otel.status_message": AttrStatusText,
	// versions
	"vcs.repository.ref.revision": AttrCommit,
	"vcs.ref.head.sha":            AttrCommit,
	"vcs.commit.id":               AttrCommit,
	"git.commit.sha":              AttrCommit,
	"git.commit.id":               AttrCommit,
	"git.commit":                  AttrCommit,
	"git.sha":                     AttrCommit,
	"service.commit":              AttrCommit,
	"deployment.environment":      "deployment.environment.name",
	"k8s.pod.hostname":            "host.name",
	// flags
	"feature_flag.variant":           AttrFlagVariant,
	"feature_flag.provider_name":     "feature_flag.provider.name",
	"feature_flag.evaluation.reason": "feature_flag.result.reason",
}

// rename gives the current name of an attribute. incoming is whether the span's kind is
// server or consumer: some old names meant the other side of the connection.
func rename(key string, incoming bool) string {
	if to, ok := aliases[key]; ok {
		return to
	}
	switch key {
	case "net.peer.name":
		if incoming {
			return AttrClientAddress
		}
		return AttrServerAddress
	case "net.peer.port":
		if incoming {
			return "client.port"
		}
		return AttrServerPort
	case "net.host.name":
		if incoming {
			return AttrServerAddress
		}
		return "network.local.address"
	case "net.host.port":
		if incoming {
			return AttrServerPort
		}
		return "network.local.port"
	}
	return key
}

// grpcCodes are the names of gRPC's status codes by number.
var grpcCodes = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
