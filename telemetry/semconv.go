package telemetry

import "strings"

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
	attrTransport      = "network.transport"
	// AttrRefType says how a span of OpenTracing refers to its parent: RefFollowsFrom when the parent did not wait.
	AttrRefType    = "opentracing.ref_type"
	RefFollowsFrom = "follows_from"
)

// aliases maps names of older conventions, of OpenTracing, Zipkin and of widespread private habits to
// the current ones (OpenTelemetry semantic conventions 1.37: the migration guides for HTTP,
// database, RPC, messaging and code attributes, and the registry's deprecated attributes of the others). It is the only such
// table; see also renamedPrefixes, and renamedValues for values that were renamed. What leads to "" is left out: it is about the tracing, not about
// what was traced.
var aliases = map[string]string{
	// HTTP and URL
	"http.method":                               AttrHTTPMethod,
	"http.status_code":                          AttrHTTPStatus,
	"http.url":                                  AttrURLFull,
	"http.scheme":                               AttrURLScheme,
	"http.user_agent":                           "user_agent.original",
	"http.client_ip":                            AttrClientAddress,
	"http.host":                                 AttrServerAddress,
	"http.server_name":                          AttrServerAddress,
	"http.path":                                 AttrURLPath,
	"http.flavor":                               "network.protocol.version",
	"http.resend_count":                         AttrHTTPResend,
	"http.retry_count":                          AttrHTTPResend,
	"http.request_content_length":               "http.request.body.size",
	"http.response_content_length":              "http.response.body.size",
	"http.request.header.content_length":        "http.request.body.size",
	"http.response.header.content_length":       "http.response.body.size",
	"http.request_content_length_uncompressed":  "http.request.body.size",
	"http.response_content_length_uncompressed": "http.response.body.size",
	// network; net.peer.*, net.host.* and http.target depend on the kind, see rename
	"net.sock.peer.addr":          "network.peer.address",
	"net.peer.ip":                 "network.peer.address",
	"net.sock.peer.port":          "network.peer.port",
	"net.sock.host.addr":          "network.local.address",
	"net.host.ip":                 "network.local.address",
	"net.sock.host.port":          "network.local.port",
	"net.transport":               "network.transport",
	"net.protocol.name":           "network.protocol.name",
	"net.protocol.version":        "network.protocol.version",
	"net.sock.family":             "network.type",
	"net.app.protocol.name":       "network.protocol.name",
	"peer.hostname":               AttrServerAddress,
	"peer.address":                "network.peer.address",
	"service.peer.name":           AttrPeerService,
	"net.sock.peer.name":          AttrServerAddress,
	"net.app.protocol.version":    "network.protocol.version",
	"net.host.connection.type":    "network.connection.type",
	"net.host.connection.subtype": "network.connection.subtype",
	"net.host.carrier.name":       "network.carrier.name",
	"net.host.carrier.mcc":        "network.carrier.mcc",
	"net.host.carrier.mnc":        "network.carrier.mnc",
	"net.host.carrier.icc":        "network.carrier.icc",
	"peer.ipv4":                   "network.peer.address",
	"peer.ipv6":                   "network.peer.address",
	"peer.port":                   "network.peer.port",
	// RPC
	"rpc.system":                   AttrRPCSystem,
	"rpc.grpc.status_code":         AttrRPCStatus,
	"rpc.connect_rpc.error_code":   AttrRPCStatus,
	"rpc.jsonrpc.error_code":       AttrRPCStatus,
	"grpc.status_code":             AttrRPCStatus,
	"grpc.code":                    AttrRPCStatus,
	"status.code.grpc":             AttrRPCStatus,
	"rpc.connect_rpc.error_detail": "error.message",
	"grpc.method":                  AttrRPCMethod,
	"grpc.service":                 AttrRPCService,
	"message.type":                 "rpc.message.type",
	"message.id":                   "rpc.message.id",
	"message.compressed_size":      "rpc.message.compressed_size",
	"message.uncompressed_size":    "rpc.message.uncompressed_size",
	// database
	"db.system":                                AttrDBSystem,
	"db.type":                                  AttrDBSystem,
	"db.statement":                             AttrDBQuery,
	"sql.query":                                AttrDBQuery,
	"db.operation":                             AttrDBOperation,
	"db.name":                                  AttrDBNamespace,
	"db.instance":                              AttrDBNamespace,
	"db.sql.table":                             AttrDBCollection,
	"db.mongodb.collection":                    AttrDBCollection,
	"db.cassandra.table":                       AttrDBCollection,
	"db.cosmosdb.container":                    AttrDBCollection,
	"db.redis.database_index":                  "db.namespace",
	"db.user":                                  "db.user",
	"db.table":                                 AttrDBCollection,
	"sql.table":                                AttrDBCollection,
	"cassandra.query":                          AttrDBQuery,
	"db.mssql.instance_name":                   AttrDBNamespace,
	"db.elasticsearch.cluster.name":            AttrDBNamespace,
	"db.elasticsearch.node.name":               "elasticsearch.node.name",
	"db.cassandra.keyspace":                    AttrDBNamespace,
	"db.hbase.namespace":                       AttrDBNamespace,
	"db.cassandra.consistency_level":           "cassandra.consistency.level",
	"db.cassandra.coordinator.dc":              "cassandra.coordinator.dc",
	"db.cassandra.coordinator.id":              "cassandra.coordinator.id",
	"db.cassandra.idempotence":                 "cassandra.query.idempotent",
	"db.cassandra.page_size":                   "cassandra.page.size",
	"db.cassandra.speculative_execution_count": "cassandra.speculative_execution.count",
	"db.cosmosdb.status_code":                  "db.response.status_code",
	"db.cosmosdb.sub_status_code":              "azure.cosmosdb.response.sub_status_code",
	"db.cosmosdb.client_id":                    "azure.client.id",
	"db.cosmosdb.connection_mode":              "azure.cosmosdb.connection.mode",
	"db.cosmosdb.request_charge":               "azure.cosmosdb.operation.request_charge",
	"db.cosmosdb.request_content_length":       "azure.cosmosdb.request.body.size",
	"db.client.connections.pool.name":          "db.client.connection.pool.name",
	"db.client.connections.state":              "db.client.connection.state",
	"pool.name":                                "db.client.connection.pool.name",
	// messaging
	"messaging.destination":                              AttrMsgDestination,
	"message_bus.destination":                            AttrMsgDestination,
	"messaging.operation":                                AttrMsgOperation,
	"messaging.kafka.consumer.group":                     AttrMsgGroup,
	"messaging.kafka.consumer_group":                     AttrMsgGroup,
	"messaging.rocketmq.client_group":                    AttrMsgGroup,
	"messaging.consumer_group":                           AttrMsgGroup,
	"messaging.kafka.partition":                          "messaging.destination.partition.id",
	"messaging.kafka.destination.partition":              "messaging.destination.partition.id",
	"messaging.kafka.message.offset":                     "messaging.kafka.offset",
	"messaging.message_id":                               "messaging.message.id",
	"messaging.conversation_id":                          "messaging.message.conversation_id",
	"messaging.message_payload_size_bytes":               "messaging.message.body.size",
	"messaging.message.payload_size_bytes":               "messaging.message.body.size",
	"messaging.message_payload_compressed_size_bytes":    "messaging.message.envelope.size",
	"messaging.message.payload_compressed_size_bytes":    "messaging.message.envelope.size",
	"messaging.source.name":                              AttrMsgDestination,
	"messaging.protocol":                                 "network.protocol.name",
	"messaging.protocol_version":                         "network.protocol.version",
	"messaging.temp_destination":                         "messaging.destination.temporary",
	"messaging.client_id":                                "messaging.client.id",
	"messaging.consumer_id":                              "messaging.client.id",
	"messaging.consumer.id":                              "messaging.client.id",
	"messaging.kafka.client_id":                          "messaging.client.id",
	"messaging.rocketmq.client_id":                       "messaging.client.id",
	"messaging.kafka.message_key":                        "messaging.kafka.message.key",
	"messaging.kafka.tombstone":                          "messaging.kafka.message.tombstone",
	"messaging.kafka.source.partition":                   "messaging.destination.partition.id",
	"messaging.eventhubs.consumer.group":                 AttrMsgGroup,
	"messaging.pulsar.subscription":                      "messaging.destination.subscription.name",
	"messaging.servicebus.destination.subscription_name": "messaging.destination.subscription.name",
	"messaging.rabbitmq.routing_key":                     "messaging.rabbitmq.destination.routing_key",
	"messaging.rabbitmq.delivery_tag":                    "messaging.rabbitmq.message.delivery_tag",
	"messaging.rocketmq.message_type":                    "messaging.rocketmq.message.type",
	"messaging.rocketmq.message_tag":                     "messaging.rocketmq.message.tag",
	"messaging.rocketmq.message_keys":                    "messaging.rocketmq.message.keys",
	// code. The namespace stays apart because a class or logger name alone is a lead too.
	"code.filepath":         AttrCodeFile,
	"code.file":             AttrCodeFile,
	"code.lineno":           AttrCodeLine,
	"code.line":             AttrCodeLine,
	"code.function":         AttrCodeFunction,
	"code.column":           "code.column.number",
	"mvc.controller.class":  AttrCodeNamespace,
	"mvc.controller.method": AttrCodeFunction,
	"source.file":           AttrCodeFile,
	"source.line":           AttrCodeLine,
	"log.source.file":       AttrCodeFile,
	"log.source.line":       AttrCodeLine,
	"logger.name":           AttrCodeNamespace,
	"log.logger":            AttrCodeNamespace,
	// errors
	"error.kind":                  AttrExceptionType,
	"error.object":                AttrExceptionType,
	"error.stack":                 AttrExceptionStack,
	"stack":                       AttrExceptionStack,
	"stacktrace":                  AttrExceptionStack,
	"stack_trace":                 AttrExceptionStack,
	"error.msg":                   "error.message",
	"error.stack_trace":           AttrExceptionStack,
	"error.class":                 AttrExceptionType,
	"errorVerbose":                AttrExceptionStack,
	"thrown.name":                 AttrExceptionType,
	"thrown.message":              AttrExceptionMsg,
	"thrown.extendedStackTrace":   AttrExceptionStack,
	"exception.class":             AttrExceptionType,
	"exception.exception_class":   AttrExceptionType,
	"exception.exception_message": AttrExceptionMsg,
	"exception.stack_trace":       AttrExceptionStack,
	"exc_info":                    AttrExceptionStack,
	"otel.status_message":         AttrStatusText,
	// versions
	"vcs.repository.ref.revision":  AttrCommit,
	"vcs.ref.head.sha":             AttrCommit,
	"vcs.commit.id":                AttrCommit,
	"git.commit.sha":               AttrCommit,
	"git.commit.id":                AttrCommit,
	"git.commit":                   AttrCommit,
	"git.sha":                      AttrCommit,
	"service.commit":               AttrCommit,
	"deployment.environment":       "deployment.environment.name",
	"k8s.pod.hostname":             "host.name",
	"hostname":                     "host.name",
	"ip":                           "host.ip",
	"client-uuid":                  "service.instance.id",
	"container.image.tag":          "container.image.tags",
	"container.runtime":            "container.runtime.name",
	"telemetry.auto.version":       "telemetry.distro.version",
	"kubernetes.pod_name":          "k8s.pod.name",
	"kubernetes.pod.name":          "k8s.pod.name",
	"kubernetes.pod_id":            "k8s.pod.uid",
	"kubernetes.pod.uid":           "k8s.pod.uid",
	"kubernetes.namespace_name":    "k8s.namespace.name",
	"kubernetes.namespace":         "k8s.namespace.name",
	"kubernetes.container_name":    "k8s.container.name",
	"kubernetes.container.name":    "k8s.container.name",
	"kubernetes.host":              "k8s.node.name",
	"kubernetes.node.name":         "k8s.node.name",
	"faas.id":                      "cloud.resource_id",
	"faas.execution":               "faas.invocation_id",
	"cloud.infrastructure_service": "cloud.platform",
	// the tracing's own
	"sampler.type":         "",
	"sampler.param":        "",
	"internal.span.format": "",
	"lc":                   "component",
	// flags
	"feature_flag.variant":           AttrFlagVariant,
	"feature_flag.provider_name":     "feature_flag.provider.name",
	"feature_flag.evaluation.reason": "feature_flag.result.reason",
}

// renamedPrefixes are families of attributes that moved with what follows their names.
var renamedPrefixes = [...][2]string{
	{"rpc.grpc.request.metadata.", "rpc.request.metadata."},
	{"rpc.grpc.response.metadata.", "rpc.response.metadata."},
	{"rpc.connect_rpc.request.metadata.", "rpc.request.metadata."},
	{"rpc.connect_rpc.response.metadata.", "rpc.response.metadata."},
	{"db.elasticsearch.path_parts.", "db.operation.parameter."},
}

// renamedValues maps values that were renamed along with their attributes.
var renamedValues = map[string]map[string]string{
	AttrDBSystem: {
		"mssql": "microsoft.sql_server", "oracle": "oracle.db", "db2": "ibm.db2", "informix": "ibm.informix", "netezza": "ibm.netezza",
		"cosmosdb": "azure.cosmosdb", "dynamodb": "aws.dynamodb", "redshift": "aws.redshift", "spanner": "gcp.spanner", "hanadb": "sap.hana",
		"maxdb": "sap.maxdb", "adabas": "softwareag.adabas", "firebird": "firebirdsql", "ingres": "actian.ingres", "h2": "h2database",
		"intersystems_cache": "intersystems.cache", "postgres": "postgresql",
	},
	AttrMsgOperation: {"publish": "send", "deliver": "process"},
	attrTransport:    {"ip_tcp": "tcp", "ip_udp": "udp", "IP.TCP": "tcp", "IP.UDP": "udp"},
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
	if len(key) > 26 && (key[0] == 'r' || key[0] == 'd') {
		for _, p := range renamedPrefixes {
			if rest, ok := strings.CutPrefix(key, p[0]); ok {
				return p[1] + rest
			}
		}
	}
	return key
}

// grpcCodes are the names of gRPC's status codes by number.
var grpcCodes = [...]string{"OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
	"ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE",
	"UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"}
