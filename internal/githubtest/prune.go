package githubtest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// pruned is what is kept of GitHub's description: the operations that the stand-in has, and the schemas they need, each
// under a name. Reading all of it takes seconds, this takes some hundredths of one.
type pruned struct {
	Operations map[string]operation `json:"operations"` // by "METHOD path"
	Webhooks   map[string]string    `json:"webhooks"`   // "issue-comment-created" -> schema
	Schemas    map[string]any       `json:"schemas"`
}

type operation struct {
	Query     map[string]string `json:"query"` // parameter -> schema
	Required  []string          `json:"required"`
	Request   string            `json:"request"`   // schema of the body, "" for none
	Must      bool              `json:"must"`      // the body is required
	Fields    []string          `json:"fields"`    // of the body; nil when it has alternatives
	Responses map[string]string `json:"responses"` // status -> schema, "" for a body that is not JSON
}

type pruner struct {
	doc object
	out pruned
}

// prune cuts the whole description down.
func prune(whole []byte, routes []route) (*pruned, error) {
	p := pruner{out: pruned{Operations: map[string]operation{}, Webhooks: map[string]string{}, Schemas: map[string]any{}}}
	if err := json.Unmarshal(whole, &p.doc); err != nil {
		return nil, fmt.Errorf("GitHub's description: %w", err)
	}
	paths, _ := p.doc["paths"].(object)
	for _, r := range routes {
		item, _ := paths[r.path].(object)
		op, _ := item[strings.ToLower(r.method)].(object)
		if op == nil {
			return nil, fmt.Errorf("GitHub's description has no %s %s: the stand-in must not have it either", r.method, r.path)
		}
		p.operation(r.method+" "+r.path, op)
	}
	hooks, _ := p.doc["x-webhooks"].(object)
	for _, event := range []string{"pull-request-", "issue-comment-", "check-run-", "check-suite-", "push", "status", "ping"} {
		for name, v := range hooks {
			if name != event && !(strings.HasSuffix(event, "-") && strings.HasPrefix(name, event)) || strings.HasPrefix(name, "pull-request-review-") && !strings.HasPrefix(name, "pull-request-review-request") {
				continue
			}
			item, _ := v.(object)
			op, _ := item["post"].(object)
			if schema := p.content(op["requestBody"]); schema != nil {
				p.out.Webhooks[name] = p.keep("hook "+name, schema)
			}
		}
	}
	return &p.out, nil
}

// deref follows one reference.
func (p *pruner) deref(v any) object {
	o, _ := v.(object)
	ref, isRef := o["$ref"].(string)
	if !isRef {
		return o
	}
	at := any(p.doc)
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		step, _ := at.(object)
		at = step[part]
	}
	return p.deref(at)
}

// content is the schema of a JSON body, nil when there is none.
func (p *pruner) content(body any) any {
	content, _ := p.deref(body)["content"].(object)
	media, _ := content["application/json"].(object)
	return media["schema"]
}

func (p *pruner) operation(name string, op object) {
	o := operation{Query: map[string]string{}, Responses: map[string]string{}}
	params, _ := op["parameters"].([]any)
	for _, v := range params {
		param := p.deref(v)
		key, _ := param["name"].(string)
		if param["in"] != "query" {
			continue
		}
		o.Query[key] = p.keep(name+" ?"+key, param["schema"])
		if must, _ := param["required"].(bool); must {
			o.Required = append(o.Required, key)
		}
	}
	if schema := p.content(op["requestBody"]); schema != nil {
		o.Request = p.keep(name+" body", schema)
		o.Must, _ = p.deref(op["requestBody"])["required"].(bool)
		plain := p.deref(schema)
		if props, has := plain["properties"].(object); has && plain["oneOf"] == nil && plain["anyOf"] == nil {
			for field := range props {
				o.Fields = append(o.Fields, field)
			}
			slices.Sort(o.Fields)
		}
	}
	responses, _ := op["responses"].(object)
	for status, v := range responses {
		o.Responses[status] = ""
		if schema := p.content(v); schema != nil {
			o.Responses[status] = p.keep(name+" "+status, schema)
		}
	}
	p.out.Operations[name] = o
}

// keep stores a schema and everything it refers to under names that are fit for a reference.
func (p *pruner) keep(name string, schema any) string {
	key := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.", r) {
			return r
		}
		return '_'
	}, name)
	p.out.Schemas[key] = p.strip(schema, false)
	return key
}

// strip copies a schema without its prose. oneOf becomes anyOf: GitHub's own answers fit several of its
// alternatives, such as a public and a private user, all the time.
func (p *pruner) strip(v any, names bool) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = p.strip(v[i], false)
		}
		return out
	case object:
		out := object{}
		for k, x := range v {
			if !names {
				switch k {
				case "description", "example", "examples", "externalDocs", "title", "default", "deprecated":
					continue
				case "oneOf":
					k = "anyOf"
				case "$ref":
					p.reach(x.(string))
				}
			}
			out[k] = p.strip(x, !names && k == "properties")
			if names && k == "account" {
				// The list of installations has accounts that are a user and an enterprise at once, where the
				// single installation has either. No answer of GitHub is both.
				out[k] = either(out[k])
			}
		}
		return out
	}
	return v
}

// reach keeps a schema that another one refers to.
func (p *pruner) reach(ref string) {
	name := strings.TrimPrefix(ref, "#/components/schemas/")
	if _, there := p.out.Schemas[name]; there {
		return
	}
	p.out.Schemas[name] = nil // begun: schemas refer to one another in circles
	p.out.Schemas[name] = p.strip(p.deref(object{"$ref": ref}), false)
}

func either(schema any) any {
	o, _ := schema.(object)
	if all, both := o["allOf"]; both {
		delete(o, "allOf")
		o["anyOf"] = all
	}
	return schema
}
