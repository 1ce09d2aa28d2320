package replay

import (
	"testing"
)

func TestExpectations(t *testing.T) {
	tree := []TreeSpan{span("", "root", 1), span("x", "retry", 2, func(s *TreeSpan) { s.Attributes = map[string]string{"error.type": "503"} })}
	for text, want := range map[string]bool{
		`span[name="root"]`: true, `span[name="gone"]`: false, `span[name="gone"] absent`: true, `span[name="retry"] count<=3`: true, `span[name="retry"] count>2`: false,
		`span[name="retry"][kind="internal"] attr:error.type="503"`: true, `span[name="retry"] attr:error.type="500"`: false, `span[name="retry"] attr:error.type`: true,
		`span[service="desk"] status:"unset"`: true, `span[name="root"] attr:error.type`: false, `span[signature="desk|internal|root|"] count=1`: true, `span[status="error"] absent`: true,
	} {
		s, err := parseSelector(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got, saw := s.judge(tree); got != want {
			t.Errorf("%s: %v (%s)", text, got, saw)
		}
	}
	for _, text := range []string{"", "spam", `span[colour="x"]`, `span count~3`, `span[name="x"] attr:`} {
		if _, err := parseSelector(text); err == nil {
			t.Errorf("%q is accepted", text)
		}
	}
}
