package githubtest

import "errors"

// ErrNotFetched means that GitHub's description is not in the cache.
var ErrNotFetched = errors.New("GitHub's description was not fetched")

type Description struct{}
type Examples struct{}

func LoadDescription() (*Description, error) { return nil, ErrNotFetched }
func LoadExamples() (*Examples, error)       { return nil, ErrNotFetched }

func (e *Examples) find(event, action string) object { return object{} }

func overlay(base, top object) object {
	for k, v := range top {
		if b, isObject := base[k].(object); isObject {
			if t, both := v.(object); both {
				base[k] = overlay(b, t)
				continue
			}
		}
		base[k] = v
	}
	return base
}
func (x *exchange) check(rt *route, args map[string]string, a answer) {}
