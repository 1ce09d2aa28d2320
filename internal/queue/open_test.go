package queue

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nkeys"

	"github.com/remediator/remediator/remedy/docket"
)

// refused opens a queue that must not open, and checks what is said.
func refused(t *testing.T, o Options, want ...string) {
	t.Helper()
	o.Log = quiet(t)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	q, err := Open(ctx, o)
	if err == nil {
		closeNow(t, q)
		t.Fatalf("%+v was opened", o)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("got %q, want a text with %q", err, w)
		}
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string
	}{
		{Options{}, "--data-dir"},
		{Options{DataDir: "x", URL: "nats://x"}, "exclude each other"},
		{Options{DataDir: "x", Replicas: 3}, "--nats-url"},
		{Options{URL: "nats://x", Replicas: 9}, "1, 3 or 5"},
		{Options{URL: "nats://x", Prefix: "a.b"}, "letters, digits"},
		{Options{URL: "nats://x", Prefix: "*"}, "letters, digits"},
		{Options{URL: "nats://x", CertFile: "a"}, "its key's"},
		{Options{URL: "nats://x", AckWait: -1}, "no duration"},
	} {
		refused(t, c.o, c.want)
	}
}

func TestASecondProcessInTheSameDirectory(t *testing.T) {
	dir := t.TempDir()
	q := open(t, Options{DataDir: dir})
	refused(t, Options{DataDir: dir}, "another process works in", "--nats-url")
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatalf("the first one is disturbed: %v", err)
	}
	closeNow(t, q)
	again := open(t, Options{DataDir: dir})
	if _, err := again.Get(t.Context(), "aa"); err != nil {
		t.Fatalf("after a stop: %v", err)
	}
}

func TestADataDirectoryThatIsNone(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{DataDir: file}, "cannot be made", "--data-dir")
	refused(t, Options{DataDir: filepath.Join(file, "below")}, "cannot be made", "--data-dir")
}

func TestEmbeddedListensNowhereAndSyncs(t *testing.T) {
	q := open(t, Options{DataDir: filepath.Join(t.TempDir(), "new", "data")})
	if a := q.server.Addr(); a != nil {
		t.Errorf("it listens on %s", a)
	}
	if c := q.server.JetStreamConfig(); !c.SyncAlways {
		t.Error("what is acknowledged may not be on disk")
	}
	if got := q.conn.MaxPayload(); got != maxPayload {
		t.Errorf("the largest message is %d bytes, want %d", got, maxPayload)
	}
	info, err := os.Stat(q.server.dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the directory is open to others: %v, %v", info.Mode(), err)
	}
}

func TestAnUnreachableServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{URL: "nats://user:secret@" + address}, "nats://"+address, "check the address")
	t.Run("its password is not said", func(t *testing.T) {
		_, err := Open(t.Context(), Options{URL: "nats://user:secret@" + address + ",user:secret@" + address, Log: quiet(t)})
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Fatalf("got %v", err)
		}
	})
	refused(t, Options{URL: "nats://" + address, CredentialsFile: "/nowhere/x.creds"}, "/nowhere/x.creds")
}

func TestAServerWithoutJetStream(t *testing.T) {
	s := shared(t, func(o *server.Options) { o.JetStream = false })
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Open(ctx, Options{URL: s.ClientURL(), Log: quiet(t)})
	if err == nil || !strings.Contains(err.Error(), "nats-server with -js") {
		t.Fatalf("got %v", err)
	}
}

func TestMoreReplicasThanServers(t *testing.T) {
	s := shared(t, nil)
	refused(t, Options{URL: s.ClientURL(), Replicas: 3}, "nats.replicas")
	if q := open(t, Options{URL: s.ClientURL()}); q.opts.Replicas != 1 {
		t.Fatalf("%d replicas on a single server", q.opts.Replicas)
	}
}

func TestVersionsOfTheServer(t *testing.T) {
	for v, ok := range map[string]bool{"2.15.2": true, "2.12.0": true, "v2.12.0-beta": true, "3.0.0": true, "2.11.9": false, "1.4.1": false, "": false, "two": false} {
		err := checkVersion(v)
		if (err == nil) != ok {
			t.Errorf("%q: %v", v, err)
		}
		if err != nil && !strings.Contains(err.Error(), "2.12") {
			t.Errorf("%q: %q does not say what is needed", v, err)
		}
	}
}

func TestStreamsOfALaterVersionAreLeftAlone(t *testing.T) {
	s := shared(t, nil)
	q := open(t, Options{URL: s.ClientURL()})
	config := q.records.stream.CachedInfo().Config
	config.Metadata[layoutKey] = "2"
	if _, err := q.js.UpdateStream(t.Context(), config); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{URL: s.ClientURL()}, "later version", "another prefix")
	info, err := q.records.stream.Info(t.Context())
	if err != nil || info.Config.Metadata[layoutKey] != "2" {
		t.Fatalf("it was changed: %v, %v", info.Config.Metadata, err)
	}
}

func TestStreamsThatAreSomebodyElses(t *testing.T) {
	s := shared(t, nil)
	q := open(t, Options{URL: s.ClientURL(), Prefix: "one"})
	if _, err := q.js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "two-tasks-case", Subjects: []string{"theirs.>"}, Storage: jetstream.MemoryStorage}); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{URL: s.ClientURL(), Prefix: "two"}, "two-tasks-case", "another prefix")
}

func TestPrefixesDoNotMix(t *testing.T) {
	s := shared(t, nil)
	one, two := open(t, Options{URL: s.ClientURL(), Prefix: "one"}), open(t, Options{URL: s.ClientURL(), Prefix: "one-two"})
	if err := one.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
	if err := one.PutBlob(t.Context(), "x", strings.NewReader("x")); err != nil {
		t.Fatal(err)
	}
	if err := one.Publish(t.Context(), docket.Task{Kind: docket.CaseTask}); err != nil {
		t.Fatal(err)
	}
	stats, err := two.Stats(t.Context())
	if err != nil || stats.Cases != 0 || stats.Tasks[docket.CaseTask] != (TaskStats{}) {
		t.Fatalf("the other has %+v, %v", stats, err)
	}
	if names, err := two.BlobNames(t.Context(), ""); err != nil || len(names) != 0 {
		t.Fatalf("the other has %q, %v", names, err)
	}
}

func TestManyProcessesStartAtOnce(t *testing.T) {
	s := shared(t, nil)
	errs := make(chan error)
	for range 6 {
		go func() {
			q, err := Open(t.Context(), Options{URL: s.ClientURL(), Log: quiet(t)})
			if err == nil {
				err = q.Close(t.Context())
			}
			errs <- err
		}()
	}
	for range 6 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
}

// certificate makes a certificate for 127.0.0.1 that signs itself, and says where it stands.
func certificate(t *testing.T) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

func TestTLS(t *testing.T) {
	certFile, keyFile := certificate(t)
	pair, err := tls.LoadX509KeyPair(certFile, keyFile)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	s := shared(t, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool}
		o.TLSTimeout = 10
		o.TLSVerify = true
	})
	url := "tls://" + s.Addr().String()
	refused(t, Options{URL: url}, "certificate")
	refused(t, Options{URL: url, CAFile: certFile}, "certificate")
	q := open(t, Options{URL: url, CAFile: certFile, CertFile: certFile, KeyFile: keyFile})
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
}

func TestCredentials(t *testing.T) {
	pair := func(make func() (nkeys.KeyPair, error)) (nkeys.KeyPair, string) {
		t.Helper()
		k, err := make()
		if err != nil {
			t.Fatal(err)
		}
		public, err := k.PublicKey()
		if err != nil {
			t.Fatal(err)
		}
		return k, public
	}
	operator, operatorID := pair(nkeys.CreateOperator)
	account, accountID := pair(nkeys.CreateAccount)
	system, systemID := pair(nkeys.CreateAccount)
	user, userID := pair(nkeys.CreateUser)
	encode := func(c jwt.Claims, by nkeys.KeyPair) string {
		t.Helper()
		token, err := c.Encode(by)
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	claims := jwt.NewAccountClaims(accountID)
	claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: 4 << 30, MemoryStorage: 1 << 20, Streams: -1, Consumer: -1}
	resolver := &server.MemAccResolver{}
	for id, token := range map[string]string{accountID: encode(claims, operator), systemID: encode(jwt.NewAccountClaims(systemID), operator)} {
		if err := resolver.Store(id, token); err != nil {
			t.Fatal(err)
		}
	}
	_ = system // only its name is needed
	trusted := jwt.NewOperatorClaims(operatorID)
	trusted.SystemAccount = systemID
	s := shared(t, func(o *server.Options) {
		o.TrustedOperators = []*jwt.OperatorClaims{trusted}
		o.SystemAccount = systemID
		o.AccountResolver = resolver
	})
	seed, err := user.Seed()
	if err != nil {
		t.Fatal(err)
	}
	creds, err := jwt.FormatUserConfig(encode(jwt.NewUserClaims(userID), account), seed)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(file, creds, 0o600); err != nil {
		t.Fatal(err)
	}
	refused(t, Options{URL: s.ClientURL()}, "check --nats-credentials")
	q := open(t, Options{URL: s.ClientURL(), CredentialsFile: file})
	if err := q.Put(t.Context(), record("aa")); err != nil {
		t.Fatal(err)
	}
	health, err := q.Health(t.Context())
	if err != nil || health.Limit != 4<<30 {
		t.Fatalf("the account's limit is %+v, %v", health, err)
	}
}
