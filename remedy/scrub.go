package remedy

import "reflect"

// kept are fields whose text is an identifier or comes from the repository itself; redaction
// would only break them.
var kept = map[string]bool{
	"SHA": true, "Commit": true, "Culprit": true, "Digest": true, "Fingerprint": true, "Tree": true, "Parent": true, "Branch": true,
	"Diff": true, "File": true, "Path": true, "Bundle": true, "Key": true, "Schema": true, "ID": true, "Traces": true, "Deployed": true,
	"ModelDigest": true, "PromptSHA256": true, "AnswerSHA256": true,
}

// scrub applies redact to every text of a value that may have come from telemetry, an alert or a
// command's output, in place. It goes by reflection so that a field added later is
// redacted unless somebody says that it must not be.
func scrub(v any, redact func(string) string) {
	if redact != nil {
		scrubValue(reflect.ValueOf(v), redact)
	}
}

func scrubValue(v reflect.Value, redact func(string) string) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			scrubValue(v.Elem(), redact)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && !(kept[f.Name] && isText(f.Type)) {
				scrubValue(v.Field(i), redact)
			}
		}
	case reflect.Slice, reflect.Array:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return // contents of files, which come from the repository
		}
		for i := range v.Len() {
			scrubValue(v.Index(i), redact)
		}
	case reflect.Map:
		if v.Type().Elem().Kind() != reflect.String {
			return
		}
		for _, k := range v.MapKeys() {
			text := v.MapIndex(k)
			clean := reflect.New(text.Type()).Elem()
			clean.SetString(redact(text.String()))
			v.SetMapIndex(k, clean)
		}
	case reflect.String:
		if v.CanSet() {
			v.SetString(redact(v.String()))
		}
	}
}

// isText says whether a field holds text itself, so that a structure that happens to have the name
// of an identifier is still looked into.
func isText(t reflect.Type) bool {
	return t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.String
}
