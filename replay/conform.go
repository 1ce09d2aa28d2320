package replay

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

var (
	setType  = reflect.TypeFor[Set]()
	rawType  = reflect.TypeFor[json.RawMessage]()
	textType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// conforms checks a decoded document against a Go type, which encoding/json does too but
// without saying where in an array the mistake is.
func conforms(v any, t reflect.Type, at pointer) error {
	if t == rawType {
		return nil
	}
	if reflect.PointerTo(t).Implements(textType) {
		s, ok := v.(string)
		if !ok {
			return wrongType(v, "string", at)
		}
		if err := reflect.New(t).Interface().(encoding.TextUnmarshaler).UnmarshalText([]byte(s)); err != nil {
			return fmt.Errorf("%s: %w", place(at), err)
		}
		return nil
	}
	switch t.Kind() {
	case reflect.Struct:
		return conformsStruct(v, t, at)
	case reflect.Slice:
		if v == nil {
			return nil
		}
		list, ok := v.([]any)
		if !ok {
			return wrongType(v, "array", at)
		}
		for i, e := range list {
			if err := conforms(e, t.Elem(), at.child(strconv.Itoa(i))); err != nil {
				return err
			}
		}
	case reflect.Map:
		object, ok := v.(map[string]any)
		if !ok {
			return wrongType(v, "object", at)
		}
		for _, k := range sortedKeys(object) {
			if err := conforms(object[k], t.Elem(), at.child(k)); err != nil {
				return err
			}
		}
	case reflect.String:
		if _, ok := v.(string); !ok {
			return wrongType(v, "string", at)
		}
	case reflect.Int:
		n, ok := v.(json.Number)
		if !ok {
			return wrongType(v, "whole number", at)
		}
		if _, err := strconv.ParseInt(n.String(), 10, 32); err != nil {
			return fmt.Errorf("%s: %s is not a whole number of reasonable size", place(at), clip(n.String(), 40))
		}
	}
	return nil
}

func conformsStruct(v any, t reflect.Type, at pointer) error {
	object, ok := v.(map[string]any)
	if !ok {
		return wrongType(v, "object", at)
	}
	fields := make(map[string]reflect.Type, t.NumField())
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		fields[name] = t.Field(i).Type
	}
	for _, k := range sortedKeys(object) {
		ft, ok := fields[k]
		if !ok {
			return fmt.Errorf("%s: unknown key (known here: %s)", place(at.child(clip(k, 60))), strings.Join(sortedKeys(fields), ", "))
		}
		if err := conforms(object[k], ft, at.child(k)); err != nil {
			return err
		}
	}
	return nil
}

func wrongType(v any, want string, at pointer) error {
	article := "a"
	if want == "array" || want == "object" {
		article = "an"
	}
	return fmt.Errorf("%s: %s where %s %s belongs", place(at), typeName(v), article, want)
}
