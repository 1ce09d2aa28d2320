package alerthook

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"golang.org/x/time/rate"

	"github.com/remediator/remediator/incident"
	"github.com/remediator/remediator/internal/config"
)

// source is one sender of alerts as its requests are checked.
type source struct {
	name        string // "" for the decoy
	format      string
	mapping     incident.Mapping
	mappingJSON []byte
	maxBody     int64
	perMinute   int
	limit       *rate.Limiter
	credentials credentials
}

// table is all sources at one moment. It is replaced as a whole.
type table struct {
	sources map[string]*source
	decoy   *source // stands in for sources that do not exist
	maxBody int64   // the largest of all, which bounds what is read before credentials are known
}

// find returns the source with a name, or the decoy.
func (t *table) find(name string) *source {
	if s, ok := t.sources[name]; ok {
		return s
	}
	return t.decoy
}

// newTable reads the credentials of all sources. The rate limits of a former table go on where
// they are the same.
func newTable(configured map[string]config.AlertSource, former *table, read func(string) (config.Secret, error), random io.Reader) (*table, []string, error) {
	t := &table{sources: map[string]*source{}, maxBody: minBody}
	var warnings []string
	for _, name := range slices.Sorted(maps.Keys(configured)) {
		c := configured[name]
		s := &source{name: name, format: c.Format, mapping: c.Mapping, maxBody: min(c.MaxBytes(), incident.MaxBody), perMinute: c.PerMinute}
		if s.maxBody <= 0 || s.perMinute <= 0 {
			return nil, nil, fmt.Errorf("alerts.%s: max_body and per_minute must be set; read the configuration with its defaults", name)
		}
		if len(c.Mapping) > 0 {
			text, err := json.Marshal(c.Mapping)
			if err != nil {
				return nil, nil, fmt.Errorf("alerts.%s.mapping: %w", name, err)
			}
			s.mappingJSON = text
		}
		if err := s.credentials.fill(random); err != nil {
			return nil, nil, err
		}
		for _, file := range []struct {
			key, path string
			use       func(config.Secret)
		}{{"bearer_file", c.BearerFile, s.credentials.askBearer}, {"secret_file", c.SecretFile, s.credentials.askSigned}} {
			if file.path == "" {
				continue
			}
			secret, err := read(file.path)
			if err != nil {
				return nil, nil, fmt.Errorf("alerts.%s.%s: %w", name, file.key, err)
			}
			if len(secret.Bytes()) == 0 {
				return nil, nil, fmt.Errorf("alerts.%s.%s: %s is empty", name, file.key, file.path)
			}
			if secret.Warning != "" {
				warnings = append(warnings, fmt.Sprintf("alerts.%s.%s: %s", name, file.key, secret.Warning))
			}
			file.use(secret)
		}
		s.credentials.signature = c.SignatureHeader
		s.credentials.timestamp = c.TimestampHeader
		s.credentials.window = time.Duration(c.ReplayWindow)
		// A burst of a minute's worth: a storm of one minute is what the limit allows, however it is spread.
		s.limit = rate.NewLimiter(rate.Limit(float64(s.perMinute)/60), s.perMinute)
		if former != nil {
			if f, ok := former.sources[name]; ok && f.perMinute == s.perMinute {
				s.limit = f.limit
			}
		}
		t.sources[name] = s
		t.maxBody = max(t.maxBody, s.maxBody)
	}
	t.decoy = &source{maxBody: t.maxBody, credentials: credentials{asBearer: 1, asSigned: 1, signature: config.DefaultSignature}}
	if err := t.decoy.credentials.fill(random); err != nil {
		return nil, nil, err
	}
	return t, warnings, nil
}

// minBody is what is read of a request even where no source is configured.
const minBody = 64 << 10

// fill puts credentials in place that nobody has.
func (c *credentials) fill(random io.Reader) error {
	c.secret = make([]byte, sha256.Size)
	if _, err := io.ReadFull(random, c.secret); err != nil {
		return fmt.Errorf("draw a random key: %w", err)
	}
	if _, err := io.ReadFull(random, c.bearer[:]); err != nil {
		return fmt.Errorf("draw a random key: %w", err)
	}
	return nil
}

func (c *credentials) askBearer(s config.Secret) {
	c.bearer, c.asBearer = sha256.Sum256(s.Bytes()), 1
}

func (c *credentials) askSigned(s config.Secret) {
	c.secret, c.asSigned = s.Bytes(), 1
}
