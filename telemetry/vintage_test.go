package telemetry

import (
	"strings"
	"testing"
	"time"

	"go.opentelemetry.io/collector/pdata/ptrace"
)

// One row per part of the conventions that a migration guide moved, beyond those of TestAttributesGetTheirCurrentNames.
func TestEveryVintageSpeaksOneVocabulary(t *testing.T) {
	for old, now := range map[string]string{
		"http.request_content_length=5":                 "http.request.body.size=5",
		"http.user_agent=x":                             "user_agent.original=x",
		"http.client_ip=1.2.3.4":                        "client.address=1.2.3.4",
		"http.flavor=1.1":                               "network.protocol.version=1.1",
		"net.transport=ip_tcp":                          "network.transport=tcp",
		"net.sock.peer.name=db":                         "server.address=db",
		"net.sock.peer.addr=1.2.3.4":                    "network.peer.address=1.2.3.4",
		"rpc.system=grpc":                               "rpc.system.name=grpc",
		"rpc.connect_rpc.error_code=unavailable":        "rpc.response.status_code=UNAVAILABLE",
		"rpc.grpc.request.metadata.x-request-id=7":      "rpc.request.metadata.x-request-id=7",
		"db.system=mssql":                               "db.system.name=microsoft.sql_server",
		"db.mongodb.collection=c":                       "db.collection.name=c",
		"db.elasticsearch.path_parts.index=i":           "db.operation.parameter.index=i",
		"db.cassandra.consistency_level=quorum":         "cassandra.consistency.level=quorum",
		"messaging.operation=deliver":                   "messaging.operation.type=process",
		"messaging.kafka.message_key=k":                 "messaging.kafka.message.key=k",
		"messaging.source.name=q":                       "messaging.destination.name=q",
		"code.column=3":                                 "code.column.number=3",
		"mvc.controller.class=OrderController":          "code.namespace=OrderController",
		"faas.execution=e":                              "faas.invocation_id=e",
		"kubernetes.pod_name=p":                         "k8s.pod.name=p",
		"error.stack_trace=at a.b(C.java:1)":            "exception.stacktrace=at a.b(C.java:1)",
		"feature_flag.variant=on":                       "feature_flag.result.variant=on",
		"deployment.environment=prod":                   "deployment.environment.name=prod",
		"sampler.type=const":                            "",
		"internal.span.format=proto":                    "",
		"http.request.method=GET":                       "http.request.method=GET",
		"db.elasticsearch.path_parts_of_another_kind=x": "db.elasticsearch.path_parts_of_another_kind=x",
	} {
		d := newTraceData()
		k, v, _ := strings.Cut(old, "=")
		d.span("s", 1, 1, 0, "n", 0, time.Second, map[string]any{k: v}).SetKind(ptrace.SpanKindClient)
		got := ""
		for _, a := range d.dataset(t).Spans[0].Attrs {
			got += a.Key + "=" + a.Value
		}
		if got != now {
			t.Errorf("%s became %q, want %q", old, got, now)
		}
	}
}

func TestRenamedValuesLeadToThemselves(t *testing.T) {
	for key, values := range renamedValues {
		for _, now := range values {
			if _, again := values[now]; again {
				t.Errorf("%s: %q is renamed again", key, now)
			}
		}
	}
}

func TestExceptionsInAttributesOfSpansAreExceptions(t *testing.T) {
	d := newTraceData()
	d.span("s", 1, 1, 0, "old", 0, time.Second, map[string]any{"error.kind": "IOError", "error.stack": "at a", "error": true})
	s := d.span("s", 1, 2, 0, "both", 0, time.Second, map[string]any{"exception.type": "IOError"})
	s.Events().AppendEmpty().SetName("exception")
	d.span("s", 1, 3, 0, "none", 0, time.Second, map[string]any{"exception.message": "only words"})
	for _, s := range d.dataset(t).Spans {
		want := map[string]int{"old": 1, "both": 1, "none": 0}[s.Name]
		if len(s.Events) != want {
			t.Errorf("%s: %d events", s.Name, len(s.Events))
		}
		if s.Name == "old" && (s.Exception().Attrs.Get(AttrExceptionType) != "IOError" || s.Exception().Attrs.Get(AttrExceptionStack) != "at a" || s.Status != StatusError) {
			t.Errorf("%+v", s)
		}
	}
}

func TestOpenTracingAndZipkinKeepWhatTheyMean(t *testing.T) {
	jaeger := readAll(t, []byte(jaegerForm), Traces)
	first, second := jaeger.Spans[0], jaeger.Spans[1]
	if first.Status != StatusError || first.StatusInferred || first.Kind != KindServer || first.KindInferred {
		t.Errorf("said, not inferred: %+v", first)
	}
	if e := first.Exception(); e == nil || e.Attrs.Get(AttrExceptionMsg) != "boom" {
		t.Errorf("events %+v", first.Events)
	}
	if _, noise := first.Attrs.Lookup("sampler.type"); noise || first.Resource.Instance != "h1" {
		t.Errorf("%+v of %+v", first.Attrs, first.Resource)
	}
	if len(second.Links) != 1 || second.Links[0].Span != (SpanID{7: 8}) {
		t.Errorf("links %+v", second.Links)
	}
	zipkin := readAll(t, []byte(zipkinForm), Traces)
	first, second = zipkin.Spans[0], zipkin.Spans[1]
	if first.Status != StatusError || first.Message != "boom" || len(first.Events) != 1 || first.Events[0].Time != base+2e8 || first.HTTPStatus() != 500 {
		t.Errorf("%+v", first)
	}
	if second.Peer() != "front" || second.Status != StatusUnset {
		t.Errorf("%+v", second)
	}
	old := `[{"traceId":"1","id":"2","name":"n","annotations":[{"timestamp":1700000000000000,"value":"sr"},{"timestamp":1700000000100000,"value":"ss"}],"localEndpoint":{"serviceName":"a"}}]`
	if s := readAll(t, []byte(old), Traces).Spans; len(s) != 1 || s[0].Kind != KindServer || !s[0].KindInferred || s[0].Start != base {
		t.Errorf("core annotations: %+v", s)
	}
	for value, want := range map[string]StatusCode{`"false"`: StatusUnset, `"true"`: StatusError, `""`: StatusError, `"refused"`: StatusError} {
		doc := `[{"traceId":"1","id":"2","name":"n","timestamp":1700000000000000,"duration":5,"tags":{"error":` + value + `}}]`
		if s := readAll(t, []byte(doc), Traces).Spans; len(s) != 1 || s[0].Status != want {
			t.Errorf("error tag %s: %+v", value, s)
		}
	}
}

// In Zipkin's B3 propagation the server goes on with the client's span.
func TestSharedSpansAreTakenApart(t *testing.T) {
	doc := `[{"traceId":"1","id":"1","name":"get","kind":"CLIENT","timestamp":1700000000000000,"duration":1000000,"localEndpoint":{"serviceName":"front"}},
{"traceId":"1","id":"1","name":"get","kind":"SERVER","shared":true,"timestamp":1700000000100000,"duration":500000,"localEndpoint":{"serviceName":"back"}},
{"traceId":"1","id":"3","parentId":"1","name":"query","kind":"CLIENT","timestamp":1700000000200000,"duration":100000,"localEndpoint":{"serviceName":"back"}}]`
	for name, text := range map[string]string{"one file": doc, "lines": strings.NewReplacer("[{", "{", "}]", "}", "},\n", "}\n").Replace(doc)} {
		ds := readAll(t, []byte(text), Traces)
		traces := GroupTraces(ds.Spans)
		if len(traces) != 1 || len(traces[0].Roots) != 1 || len(traces[0].Spans) != 3 || noteCount(ds, NoteSharedID) != 1 || noteCount(ds, NoteDuplicateID) != 0 {
			t.Fatalf("%s: %d roots, notes %v", name, len(traces[0].Roots), ds.Notes)
		}
		for i, s := range traces[0].Spans {
			parent := ""
			if p := traces[0].Parent(i); p >= 0 {
				parent = traces[0].Spans[p].Resource.Service
			}
			if want := map[string]string{"front": "", "back": "front"}[s.Resource.Service]; s.Name == "get" && parent != want || s.Name == "query" && parent != "back" {
				t.Errorf("%s: %s of %s is below %q", name, s.Name, s.Resource.Service, parent)
			}
		}
	}
}

// Kind and status of documents that say neither are concluded, and said to be.
func TestWhatTheCorporaDoNotSayIsInferredAndMarked(t *testing.T) {
	inferred := 0
	for _, file := range corpus(t, "crisp") {
		ds := readFile(t, file)
		for _, s := range ds.Spans {
			if s.Kind != KindUnspecified {
				if !s.KindInferred {
					t.Errorf("%s: %s has a kind that nobody gave it", file, s.Name)
				}
				inferred++
			}
			if s.StatusInferred && s.Attrs.First("error", AttrHTTPStatus, AttrRPCStatus) == "" {
				t.Errorf("%s: the status of %s comes from nowhere", file, s.Name)
			}
		}
	}
	if inferred == 0 {
		t.Error("nothing was inferred from calls between services")
	}
}
