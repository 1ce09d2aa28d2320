package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/web"
)

// maxAPIAnswer bounds what is read of a service that may not be one.
const maxAPIAnswer = 32 << 20

func (k *casesClient) show(ctx context.Context, id string) (*web.Case, json.RawMessage, error) {
	var raw json.RawMessage
	if err := k.get(ctx, "/cases/"+url.PathEscape(id), &raw); err != nil {
		return nil, nil, err
	}
	var c web.Case
	if err := json.Unmarshal(raw, &c); err != nil {
		return nil, nil, fmt.Errorf("the service's answer is not a case: %w", err)
	}
	return &c, raw, nil
}

// act asks for an action on the case as it stands now.
func (k *casesClient) act(ctx context.Context, id, action, reason string) (web.Answer, error) {
	var a web.Answer
	body, err := json.Marshal(web.Ask{Reason: reason})
	if err != nil {
		return a, err
	}
	return a, k.do(ctx, http.MethodPost, "/cases/"+url.PathEscape(id)+"/"+action, body, &a)
}

func (k *casesClient) get(ctx context.Context, path string, into any) error {
	return k.do(ctx, http.MethodGet, path, nil, into)
}

// address is the service's URL and where that came from.
func (k *casesClient) address() (*url.URL, error) {
	text, from := k.url, "--url"
	if text == "" {
		text, from = os.Getenv("REMEDIATOR_URL"), "REMEDIATOR_URL"
	}
	if text == "" {
		text = "http://" + config.DefaultListen
	}
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usage("%s %q is not an http or https address such as https://remediator.example.com", from, text)
	}
	return u, nil
}

// token is what the caller shows the service; "" for nothing.
func (k *casesClient) token() (string, error) {
	if k.tokenFile == "" {
		return strings.TrimSpace(os.Getenv("REMEDIATOR_TOKEN")), nil
	}
	data, err := readInput(k.tokenFile)
	if err != nil {
		return "", inputError(fmt.Errorf("reading the token: %w", err))
	}
	token := strings.TrimSpace(string(data))
	if token == "" || strings.ContainsAny(token, " \t\r\n") {
		return "", inputError(fmt.Errorf("%s does not hold one token and nothing else", k.tokenFile))
	}
	return token, nil
}

func (k *casesClient) do(ctx context.Context, method, path string, body []byte, into any) error {
	base, err := k.address()
	if err != nil {
		return err
	}
	token, err := k.token()
	if err != nil {
		return err
	}
	at := strings.TrimSuffix(base.String(), "/") + "/api/v1" + path
	req, err := http.NewRequestWithContext(ctx, method, at, bytes.NewReader(body))
	if err != nil {
		return usage("%w", err)
	}
	req.Header.Set("Accept", "application/json, application/problem+json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if token != "" {
		if base.Scheme == "http" && !loopback(base.Hostname()) {
			return usage("the token would travel unencrypted to %s: use its https address", base.Host)
		}
		req.Header.Set("Authorization", "Bearer "+token)
	}
	client := &http.Client{
		Timeout: 60 * time.Second,
		// A redirect would carry the token to wherever it points.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	resp, err := client.Do(req)
	if err != nil {
		return unreachable(base, err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, maxAPIAnswer))
	if err != nil {
		return machineError(fmt.Errorf("the answer of %s broke off: %w", base.Host, err))
	}
	if resp.StatusCode != http.StatusOK {
		return k.refused(base, resp, data, token != "")
	}
	if err := json.Unmarshal(data, into); err != nil {
		return machineError(fmt.Errorf("%s answered with something else than the API: is it the address of `remediator serve`?", base))
	}
	return nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// unreachable says why the service could not be spoken to.
func unreachable(base *url.URL, err error) error {
	var unknown x509.UnknownAuthorityError
	var name *net.DNSError
	switch {
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, syscall.ECONNREFUSED):
		return machineError(fmt.Errorf("nothing listens at %s: start `remediator serve`, or name another address with --url", base.Host))
	case errors.As(err, &name):
		return machineError(fmt.Errorf("the name %s cannot be resolved: check --url", base.Hostname()))
	case errors.As(err, &unknown):
		return machineError(fmt.Errorf("the certificate of %s is signed by nobody this machine trusts: add the authority, for instance with SSL_CERT_FILE", base.Host))
	}
	return machineError(fmt.Errorf("%s cannot be reached: %w", base.Host, err))
}

// refused turns an answer that is not the one hoped for into an error with the next step.
func (k *casesClient) refused(base *url.URL, resp *http.Response, data []byte, showed bool) error {
	var p web.Problem
	detail := ""
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/problem+json") && json.Unmarshal(data, &p) == nil {
		detail = oneLine(p.Detail)
	}
	switch status := resp.StatusCode; {
	case detail == "":
		return machineError(fmt.Errorf("%s answered %s, and not as the API does: is it the address of `remediator serve`?", base, resp.Status))
	case status == http.StatusUnauthorized && !showed:
		return inputError(fmt.Errorf("%s asks for a token: name its file with --token-file, or put it into REMEDIATOR_TOKEN", base.Host))
	case status == http.StatusUnauthorized, status == http.StatusForbidden, status == http.StatusNotFound, status == http.StatusBadRequest, status == http.StatusRequestEntityTooLarge:
		return inputError(errors.New(detail))
	case status == http.StatusConflict:
		return coded(exitNo, errors.New(detail))
	case status == http.StatusTooManyRequests || status >= 500:
		return machineError(errors.New(detail))
	}
	return errors.New(detail)
}
