package web

import (
	"encoding/json"
	"fmt"
	"net/http"
	"path"
	"reflect"
	"strconv"
	"strings"

	"github.com/invopop/jsonschema"
)

const apiPrefix = "/api/v1"

// endpoint is one operation of the API: what is served and what is described come from the same line.
type endpoint struct {
	method, path string // below apiPrefix
	id           string
	summary      string
	role         Role
	params       []param
	body         any    // of the request
	answer       any    // in JSON
	media        string // of an answer that is not JSON
	problems     []int  // beside those every endpoint has
	serve        func(*Handler, http.ResponseWriter, *http.Request, caller) error
}

type param struct {
	name, in, text string
	schema         object
}

type object = map[string]any

var (
	fingerprintParam = param{"fingerprint", "path", "of the case, or an unambiguous beginning of at least 8 digits", object{"type": "string", "pattern": "^[0-9a-f]{8,64}$"}}
	textSchema       = object{"type": "string"}
)

// endpoints are all operations of the API.
var endpoints = []endpoint{
	{method: "GET", path: "/cases", id: "listCases", summary: "List cases, newest first", role: Read, answer: List{}, problems: []int{400}, serve: listCases, params: []param{
		{"stage", "query", "stages, separated by commas", textSchema},
		{"repository", "query", "owner/name", textSchema},
		{"service", "query", "name of the service to blame, or of the alert while none is known", textSchema},
		{"since", "query", "leave out what has not changed since", object{"type": "string", "format": "date-time"}},
		{"limit", "query", "cases a page", object{"type": "integer", "minimum": 1, "maximum": maxLimit, "default": defaultLimit}},
		{"cursor", "query", "the value of next of the page before", textSchema},
	}},
	{method: "GET", path: "/cases/{fingerprint}", id: "getCase", summary: "Everything about one case", role: Read, answer: Case{}, problems: []int{404, 409}, serve: showCase, params: []param{fingerprintParam}},
	{method: "GET", path: "/cases/{fingerprint}/artifacts", id: "listArtifacts", summary: "The files of a case's last finished run", role: Read, answer: Artifacts{}, problems: []int{404, 409}, serve: listArtifacts, params: []param{fingerprintParam}},
	{method: "GET", path: "/cases/{fingerprint}/artifacts/{name}", id: "getArtifact", summary: "One file of a case", role: Read, media: "*/*", problems: []int{404, 409}, serve: showArtifact, params: []param{
		fingerprintParam, {"name", "path", "of the file", textSchema}}},
	{method: "POST", path: "/cases/{fingerprint}/{action}", id: "actOnCase", summary: "Decide on a case or ask for something", role: Approve, body: Ask{}, answer: Answer{}, problems: []int{400, 404, 409, 413, 415}, serve: actOnCase, params: []param{
		fingerprintParam, {"action", "path", "what to do", object{"type": "string", "enum": actions}}}},
	{method: "GET", path: "/dead-letters", id: "listDeadLetters", summary: "Tasks that were given up", role: Read, answer: LetterList{}, serve: listLetters},
	{method: "POST", path: "/dead-letters/{id}/{action}", id: "handleDeadLetter", summary: "Put a task that was given up back to work, or forget it", role: Administer, body: Ask{}, answer: Answer{}, problems: []int{400, 404, 409, 413, 415}, serve: handleLetter, params: []param{
		{"id", "path", "of the task", textSchema}, {"action", "path", "what to do", object{"type": "string", "enum": []string{"revive", "bury"}}}}},
	{method: "GET", path: "/breaker", id: "getBreaker", summary: "Whether everything is held, and why", role: Read, answer: Breaker{}, serve: showBreaker},
	{method: "POST", path: "/breaker/reset", id: "resetBreaker", summary: "Let cases go on after the breaker held them", role: Administer, body: Ask{}, answer: Breaker{}, problems: []int{400, 409, 413, 415}, serve: resetBreaker},
	{method: "GET", path: "/events", id: "streamEvents", summary: `Changes of cases as server-sent events named "case"; the data is an Event`, role: Read, media: "text/event-stream", problems: []int{503}, serve: streamEvents, params: []param{
		{"case", "query", "fingerprint of the only case of interest", textSchema}}},
	{method: "GET", path: "/openapi.json", id: "describe", summary: "This description", answer: object{}, serve: showOpenAPI},
}

// describe writes the API down as OpenAPI 3.1. Schemas come from the Go types.
func describe(version string) ([]byte, error) {
	// Types of two packages may share a name.
	r := jsonschema.Reflector{Anonymous: true, AllowAdditionalProperties: true, Namer: func(t reflect.Type) string {
		if t.Name() == "" {
			return ""
		}
		if t == reflect.TypeFor[eventData]() {
			return "web.Event"
		}
		return path.Base(t.PkgPath()) + "." + t.Name()
	}}
	schemas := object{}
	ref := func(v any) (any, error) {
		if _, any := v.(object); any {
			return object{"type": "object"}, nil
		}
		text, err := json.Marshal(r.Reflect(v))
		if err != nil {
			return nil, err
		}
		var s struct {
			Ref  string         `json:"$ref"`
			Defs map[string]any `json:"$defs"`
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), `"#/$defs/`, `"#/components/schemas/`)), &s); err != nil {
			return nil, err
		}
		for name, def := range s.Defs {
			schemas[name] = def
		}
		return object{"$ref": s.Ref}, nil
	}
	problemRef, err := ref(Problem{})
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	if _, err := ref(eventData{}); err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	paths := map[string]object{}
	for _, e := range endpoints {
		op := object{"operationId": e.id, "summary": e.summary}
		if e.role == Nobody {
			op["security"] = []any{}
		} else {
			op["description"] = "Takes the role " + e.role.String() + "."
		}
		var params []object
		for _, p := range e.params {
			params = append(params, object{"name": p.name, "in": p.in, "description": p.text, "required": p.in == "path", "schema": p.schema})
		}
		if params != nil {
			op["parameters"] = params
		}
		responses := object{}
		ok := object{"description": "done"}
		if e.media != "" {
			ok["content"] = object{e.media: object{"schema": object{"type": "string"}}}
		} else {
			schema, err := ref(e.answer)
			if err != nil {
				return nil, fmt.Errorf("describing %s: %w", e.path, err)
			}
			ok["content"] = object{"application/json": object{"schema": schema}}
		}
		responses["200"] = ok
		if e.method == http.MethodGet && e.media != "text/event-stream" {
			responses["304"] = object{"description": "not changed since the caller read it"}
		}
		failures := e.problems
		if e.role != Nobody {
			failures = append([]int{401, 403, 429}, failures...)
		}
		for _, status := range append(failures, 500) {
			responses[strconv.Itoa(status)] = object{"description": http.StatusText(status), "content": object{"application/problem+json": object{"schema": problemRef}}}
		}
		op["responses"] = responses
		if e.body != nil {
			schema, err := ref(e.body)
			if err != nil {
				return nil, fmt.Errorf("describing %s: %w", e.path, err)
			}
			op["requestBody"] = object{"required": true, "content": object{"application/json": object{"schema": schema}}}
		}
		if paths[e.path] == nil {
			paths[e.path] = object{}
		}
		paths[e.path][strings.ToLower(e.method)] = op
	}
	doc := object{
		"openapi": "3.1.0",
		"info": object{
			"title": "remediator", "version": version, "license": object{"name": "Apache License 2.0", "identifier": "Apache-2.0"},
			"description": "Cases of the service: what was found, what is proposed, what waits for a person. Errors are problem details (RFC 9457).",
		},
		"servers":  []any{object{"url": apiPrefix}},
		"security": []any{object{"token": []any{}}},
		"paths":    paths,
		"components": object{
			"schemas":         schemas,
			"securitySchemes": object{"token": object{"type": "http", "scheme": "bearer", "description": "A token of the service's configuration, with the role read, approve or administer; each includes those before it."}},
		},
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("describing the API: %w", err)
	}
	return append(text, '\n'), nil
}
