package sources

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/remediator/remediator/internal/config"
)

// Surroundings are what a configuration refers to outside itself.
type Surroundings struct {
	// Getenv reads an environment variable; nil means os.Getenv.
	Getenv func(string) string
	// Dir is what relative paths of the configuration are relative to.
	Dir string
	// Client is where a client's options start: clock, transport, attempts.
	Client ClientOptions
}

// maxCA bounds the file of a CA's certificates.
const maxCA = 4 << 20

// Connect makes a client for a server of the configuration. It reads the variables and the file that the
// configuration names and asks nothing yet.
func (s Surroundings) Connect(kind string, conn config.Connection) (*Client, error) {
	o, err := s.options(kind, conn)
	if err != nil {
		return nil, err
	}
	return NewClient(o)
}

// options reads what a connection names.
func (s Surroundings) options(kind string, conn config.Connection) (ClientOptions, error) {
	o := s.Client
	o.Kind, o.URL, o.Tenant = kind, conn.URL, conn.Tenant
	o.Timeout = time.Duration(conn.Timeout)
	var err error
	secret := func(key, name string) string {
		if name == "" || err != nil {
			return ""
		}
		v := s.getenv(name)
		if v == "" {
			err = fmt.Errorf("%s: the environment variable %s, which %s of its configuration names, is empty; set it", kind, name, key)
		}
		return v
	}
	o.Token = secret("token_env", conn.TokenEnv)
	o.Username = secret("username_env", conn.UsernameEnv)
	o.Password = secret("password_env", conn.PasswordEnv)
	o.Headers = map[string]string{}
	for header, name := range conn.HeadersEnv {
		o.Headers[header] = secret("headers_env", name)
	}
	if err != nil {
		return o, err
	}
	if conn.CAFile != "" {
		if o.CA, err = s.read(conn.CAFile, maxCA); err != nil {
			return o, fmt.Errorf("%s: read ca_file: %w", kind, err)
		}
	}
	return o, nil
}

func (s Surroundings) getenv(name string) string {
	if s.Getenv != nil {
		return s.Getenv(name)
	}
	return os.Getenv(name)
}

// read reads a small regular file that the configuration names.
func (s Surroundings) read(name string, limit int64) ([]byte, error) {
	if !filepath.IsAbs(name) {
		name = filepath.Join(s.Dir, name)
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > limit {
		return nil, fmt.Errorf("%s is not a regular file of at most %d KiB", name, limit>>10)
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}
