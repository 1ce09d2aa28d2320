package sources

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/remediator/remediator/telemetry/nesting"
)

// StatusError is an answer other than 2xx.
type StatusError struct {
	Server     string
	Path       string
	Status     int
	Body       string // its beginning, without control characters
	RetryAfter time.Duration
	next       string
}

// Error names the server, what it said and what to do.
func (e *StatusError) Error() string {
	s := fmt.Sprintf("%s answered %s with %d %s", e.Server, e.Path, e.Status, http.StatusText(e.Status))
	if e.Body != "" {
		s += ": " + e.Body
	}
	if e.next != "" {
		s += "; " + e.next
	}
	return s
}

// transient marks an error that may pass.
type transient struct{ error }

func (t transient) Unwrap() error { return t.error }

func passing(err error) bool {
	var status *StatusError
	if errors.As(err, &status) {
		switch status.Status {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			return true
		}
		return false
	}
	var t transient
	return errors.As(err, &t)
}

// failed describes an error of the connection. The URL in it is cut out, since its query may be long.
func (c *Client) failed(err error, path string) error {
	var ue *url.Error
	redirected := false
	if errors.As(err, &ue) {
		redirected = strings.Contains(ue.Err.Error(), "redirects ")
		err = ue.Err
	}
	var unknown x509.UnknownAuthorityError
	var verification *tls.CertificateVerificationError
	switch {
	case redirected:
		return fmt.Errorf("%s: %s %w", c.Name(), path, err)
	case errors.As(err, &unknown), errors.As(err, &verification):
		return fmt.Errorf("%s: %w; name the CA's certificate in ca_file", c.Name(), err)
	case errors.Is(err, context.DeadlineExceeded):
		return transient{fmt.Errorf("%s: no answer to %s within %v; raise timeout, or shorten the window: %w", c.Name(), path, c.o.Timeout, err)}
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %w", c.Name(), err)
	}
	var dns *net.DNSError
	if errors.As(err, &dns) && dns.IsNotFound {
		return fmt.Errorf("%s: %w; check the URL", c.Name(), err)
	}
	return transient{fmt.Errorf("%s: %s: %w; check that it runs and can be reached from here", c.Name(), path, err)}
}

func (c *Client) refused(resp *http.Response, path string, text []byte) error {
	e := &StatusError{Server: c.Name(), Path: path, Status: resp.StatusCode, Body: c.withoutSecrets(plain(text)), RetryAfter: retryAfter(resp.Header.Get("Retry-After"), c.o.Now())}
	switch resp.StatusCode {
	case http.StatusUnauthorized:
		e.next = "set the variable of its credentials and name it in the configuration"
	case http.StatusForbidden:
		e.next = "the credentials do not allow this; docs/sources.md lists what is needed"
	case http.StatusNotFound:
		e.next = "check that the URL is the base of a " + c.o.Kind + " server"
	case http.StatusTooManyRequests:
		e.next = "it limits requests: raise its limits, or try later"
	}
	return e
}

// withoutSecrets takes out of an answer what the server was sent to know the client by.
func (c *Client) withoutSecrets(text string) string {
	secrets := []string{c.o.Token, c.o.Password}
	for _, value := range c.o.Headers {
		secrets = append(secrets, value)
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "(secret)")
		}
	}
	return text
}

// retryAfter reads both forms of the header (RFC 9110, section 10.2.3); 0 when there is none.
func retryAfter(text string, now time.Time) time.Duration {
	if text == "" {
		return 0
	}
	if n, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}

// plain is the beginning of an answer as one line of text; a page says nothing, and of a JSON object its message says
// what the rest says.
func plain(text []byte) string {
	trimmed := bytes.TrimSpace(text)
	if len(trimmed) == 0 {
		return ""
	}
	switch trimmed[0] {
	case '<':
		return "a page"
	case '{':
		var said struct {
			Error   json.RawMessage `json:"error"`
			Message string          `json:"message"`
		}
		var message string
		if nesting.JSON(trimmed) == nil && json.Unmarshal(trimmed, &said) == nil {
			if json.Unmarshal(said.Error, &message) == nil && message != "" {
				return clip(message, excerpt)
			}
			if said.Message != "" {
				return clip(said.Message, excerpt)
			}
		}
	}
	return clip(string(trimmed), excerpt)
}
