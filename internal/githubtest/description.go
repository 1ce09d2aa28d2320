package githubtest

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
)

// Description is GitHub's OpenAPI description, as far as the stand-in implements it.
type Description struct {
	pruned
	schemas openapi3.Schemas
}

// loaded reads the description once for all tests of a process; it never changes.
var loaded = sync.OnceValues(func() (*Description, error) { return loadDescription(routes()) })

// LoadDescription reads the description from the cache; [ErrNotFetched] when it is not there.
func LoadDescription() (*Description, error) { return loaded() }

func loadDescription(routes []route) (*Description, error) {
	dir, err := CacheDir()
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	for _, r := range routes {
		fmt.Fprintln(h, r.method, r.path)
	}
	name := "pruned3-" + hex.EncodeToString(h.Sum(nil))[:16] + "-" + openAPI.file
	small, err := cached(name)
	if errors.Is(err, ErrNotFetched) {
		whole, err := cached(openAPI.file)
		if err != nil {
			return nil, err
		}
		kept, err := prune(whole, routes)
		if err != nil {
			return nil, err
		}
		if small, err = json.Marshal(kept); err != nil {
			return nil, err
		}
		if err := replaceFile(filepath.Join(dir, name), small); err != nil && !os.IsPermission(err) {
			return nil, err
		}
	} else if err != nil {
		return nil, err
	}
	var d Description
	if err := json.Unmarshal(small, &d.pruned); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(object{
		"openapi": "3.0.3", "info": object{"title": "GitHub", "version": openAPI.version}, "paths": object{}, "components": object{"schemas": d.pruned.Schemas},
	})
	if err != nil {
		return nil, err
	}
	parsed, err := openapi3.NewLoader().LoadFromData(doc)
	if err != nil {
		return nil, fmt.Errorf("GitHub's description: %w", err)
	}
	d.schemas, d.pruned.Schemas = parsed.Components.Schemas, nil
	return &d, nil
}

func uri(v string) error {
	u, err := url.Parse(v)
	if err != nil || !u.IsAbs() {
		return fmt.Errorf("%q is no absolute URL", v)
	}
	return nil
}

func dateTime(v string) error {
	_, err := time.Parse(time.RFC3339, v)
	return err
}

// brief says where a value does not fit and why, without repeating the schema.
func brief(err *openapi3.SchemaError) string {
	value, _ := json.Marshal(err.Value)
	if len(value) > 200 {
		value = append(value[:200], "..."...)
	}
	where := fmt.Sprintf("at /%s: %s", strings.Join(err.JSONPointer(), "/"), err.Reason)
	if err.Origin != nil {
		return where + ": " + err.Origin.Error()
	}
	return where + ": " + string(value)
}

// fits holds a decoded JSON value against a schema.
func (d *Description) fits(schema string, v any, way openapi3.SchemaValidationOption) error {
	ref := d.schemas[schema]
	if ref == nil {
		return fmt.Errorf("no schema %s", schema)
	}
	return ref.Value.VisitJSON(v, way, openapi3.EnableFormatValidation(), openapi3.SetSchemaErrorMessageCustomizer(brief), openapi3.WithStringFormatValidators(map[string]openapi3.StringFormatValidator{
		"uri": openapi3.NewCallbackValidator(uri), "date-time": openapi3.NewCallbackValidator(dateTime),
	}))
}

// Request says what is wrong with a request of an operation, "METHOD path"; nil when it fits.
func (d *Description) Request(op string, query url.Values, body []byte) error {
	o, known := d.Operations[op]
	if !known {
		return fmt.Errorf("no operation %s", op)
	}
	var errs []error
	for name, values := range query {
		schema, there := o.Query[name]
		if !there {
			errs = append(errs, fmt.Errorf("GitHub knows no parameter %s of %s", name, op))
			continue
		}
		for _, v := range values {
			if err := d.fits(schema, d.typed(schema, v), openapi3.VisitAsRequest()); err != nil {
				errs = append(errs, fmt.Errorf("parameter %s: %w", name, err))
			}
		}
	}
	for _, name := range o.Required {
		if !query.Has(name) {
			errs = append(errs, fmt.Errorf("parameter %s is missing", name))
		}
	}
	if len(body) == 0 {
		if o.Must {
			errs = append(errs, errors.New("the body is missing"))
		}
		return errors.Join(errs...)
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return errors.Join(append(errs, err)...)
	}
	if v == nil && !o.Must {
		return errors.Join(errs...) // clients send null for nothing
	}
	if o.Request == "" {
		if fields, isObject := v.(object); v != nil && (!isObject || len(fields) > 0) {
			errs = append(errs, errors.New("GitHub takes no body here"))
		}
		return errors.Join(errs...)
	}
	if fields, isObject := v.(object); isObject && o.Fields != nil {
		for name := range fields {
			if !slices.Contains(o.Fields, name) {
				errs = append(errs, fmt.Errorf("GitHub knows no field %s in the body of %s", name, op))
			}
		}
	}
	if err := d.fits(o.Request, v, openapi3.VisitAsRequest()); err != nil {
		errs = append(errs, fmt.Errorf("body: %w", err))
	}
	return errors.Join(errs...)
}

// typed reads a parameter of the query as its schema wants it.
func (d *Description) typed(schema, v string) any {
	ref := d.schemas[schema]
	if ref == nil || ref.Value.Type == nil {
		return v
	}
	switch {
	case ref.Value.Type.Is("integer"), ref.Value.Type.Is("number"):
		if n, err := strconv.ParseFloat(v, 64); err == nil {
			return n
		}
	case ref.Value.Type.Is("boolean"):
		if b, err := strconv.ParseBool(v); err == nil {
			return b
		}
	case ref.Value.Type.Is("array"):
		return []any{v}
	}
	return v
}

// undocumented are answers that GitHub gives everywhere without its description saying so.
var undocumented = []int{304, 400, 401, 403, 404, 422, 429}

// Response says what is wrong with an answer to an operation; nil when it fits.
func (d *Description) Response(op string, status int, body []byte) error {
	o, known := d.Operations[op]
	if !known {
		return fmt.Errorf("no operation %s", op)
	}
	schema, documented := o.Responses[strconv.Itoa(status)]
	if !documented && !slices.Contains(undocumented, status) {
		return fmt.Errorf("GitHub never answers %d to %s", status, op)
	}
	if len(body) == 0 {
		if schema != "" && status < 300 {
			return fmt.Errorf("the answer %d to %s has no body", status, op)
		}
		return nil
	}
	var v any
	if err := json.Unmarshal(body, &v); err != nil {
		return err
	}
	if schema == "" {
		if status < 400 {
			return fmt.Errorf("GitHub sends no body with %d to %s", status, op)
		}
		schema = "basic-error"
	}
	return d.fits(schema, v, openapi3.VisitAsResponse())
}

// Webhook says what is wrong with the payload of an event; nil when it fits.
func (d *Description) Webhook(event, action string, payload []byte) error {
	name := strings.ReplaceAll(event, "_", "-")
	if action != "" {
		name += "-" + strings.ReplaceAll(action, "_", "-")
	}
	schema, known := d.Webhooks[name]
	if !known {
		return fmt.Errorf("GitHub has no event %s", name)
	}
	var v any
	if err := json.Unmarshal(payload, &v); err != nil {
		return err
	}
	return d.fits(schema, v, openapi3.VisitAsRequest())
}

// check holds a request and its answer against the description.
func (x *exchange) check(rt *route, a answer) {
	d := x.s.describe
	if d == nil {
		return
	}
	op := rt.method + " " + rt.path
	if err := d.Request(op, x.r.URL.Query(), x.raw); err != nil {
		x.s.opt.Report("a request does not fit GitHub's description: %s: %v", op, err)
	}
	if a.raw != nil {
		return
	}
	var body []byte
	if a.body != nil {
		var err error
		if body, err = json.Marshal(a.body); err != nil {
			x.s.opt.Report("answer to %s: %v", op, err)
			return
		}
	}
	if err := d.Response(op, a.status, body); err != nil {
		x.s.opt.Report("an answer of the stand-in does not fit GitHub's description: %s -> %d: %v", op, a.status, err)
	}
}
