package simulate

import (
	"fmt"
	"strings"
	"time"
)

type failKind uint8

const (
	failException failKind = iota // the handler's own code
	failStatus                    // the other side answered with an error
	failTimeout
	failRefused
	failReset
	failOverload
	failBreaker
	failAbsent
	failPool
	failConnections
	failAuth
	failDNS
	failTLS
	failSchema // an answer that cannot be read
	failLimit  // too many requests
)

// failure is why something failed.
type failure struct {
	kind   failKind
	peer   string
	status int
	after  time.Duration
	origin *operation
	line   int    // in the file of the origin
	fn     string // function inside the origin's class where it happened, the handler where empty
	typ    string
	msg    string
	cause  *failure
}

// words are the type and the message that the runtime and the usual libraries of a language give a failure.
func (f *failure) words(l language) (typ, msg string) {
	if f.typ != "" {
		return f.typ, f.msg
	}
	ms := f.after.Milliseconds()
	say := func(forms [4][2]string) (string, string) { return forms[l][0], forms[l][1] }
	switch f.kind {
	case failTimeout:
		return say([4][2]string{
			{"*url.Error", fmt.Sprintf("Get \"http://%s:8080\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)", f.peer)},
			{"java.net.SocketTimeoutException", "Read timed out"},
			{"requests.exceptions.ReadTimeout", fmt.Sprintf("HTTPConnectionPool(host='%s', port=8080): Read timed out. (read timeout=%g)", f.peer, f.after.Seconds())},
			{"AxiosError", fmt.Sprintf("timeout of %dms exceeded", ms)}})
	case failRefused:
		return say([4][2]string{
			{"*net.OpError", fmt.Sprintf("dial tcp: connect to %s:8080: connection refused", f.peer)},
			{"java.net.ConnectException", fmt.Sprintf("Connection refused: %s/10.4.0.17:8080", f.peer)},
			{"requests.exceptions.ConnectionError", fmt.Sprintf("HTTPConnectionPool(host='%s', port=8080): Max retries exceeded (Caused by NewConnectionError: [Errno 111] Connection refused)", f.peer)},
			{"Error", fmt.Sprintf("connect ECONNREFUSED 10.4.0.17:8080 (%s)", f.peer)}})
	case failReset:
		return say([4][2]string{
			{"*net.OpError", "read tcp: connection reset by peer"}, {"java.net.SocketException", "Connection reset"},
			{"ConnectionResetError", "[Errno 104] Connection reset by peer"}, {"Error", "socket hang up"}})
	case failOverload:
		return say([4][2]string{
			{"*errors.errorString", f.peer + " answered 503 Service Unavailable"}, {"org.springframework.web.client.HttpServerErrorException$ServiceUnavailable", "503 Service Unavailable"},
			{"requests.exceptions.HTTPError", "503 Server Error: Service Unavailable for url: http://" + f.peer + "/"}, {"AxiosError", "Request failed with status code 503"}})
	case failBreaker:
		return say([4][2]string{
			{"*gobreaker.Error", "circuit breaker is open"}, {"io.github.resilience4j.circuitbreaker.CallNotPermittedException", "CircuitBreaker '" + f.peer + "' is OPEN and does not permit further calls"},
			{"pybreaker.CircuitBreakerError", "Timeout not elapsed yet, circuit breaker still open"}, {"EOPENBREAKER", "Breaker is open"}})
	case failAbsent:
		return say([4][2]string{{"*errors.errorString", "not found"}, {"javax.persistence.EntityNotFoundException", "no such entity"}, {"NotFound", "404 Not Found"}, {"NotFoundError", "not found"}})
	case failPool:
		return say([4][2]string{
			{"*errors.errorString", fmt.Sprintf("acquire connection to %s: context deadline exceeded after %dms", f.peer, ms)},
			{"java.sql.SQLTransientConnectionException", fmt.Sprintf("HikariPool-1 - Connection is not available, request timed out after %dms.", ms)},
			{"sqlalchemy.exc.TimeoutError", fmt.Sprintf("QueuePool limit overflow, connection timed out, timeout %.2f", f.after.Seconds())},
			{"KnexTimeoutError", "Knex: Timeout acquiring a connection. The pool is probably full. Are you missing a .transacting(trx) call?"}})
	case failConnections:
		return say([4][2]string{
			{"*pgconn.PgError", "FATAL: sorry, too many clients already (SQLSTATE 53300)"}, {"org.postgresql.util.PSQLException", "FATAL: sorry, too many clients already"},
			{"psycopg2.OperationalError", "connection to server at \"" + f.peer + "\" failed: FATAL:  sorry, too many clients already"}, {"error", "sorry, too many clients already"}})
	case failAuth:
		return say([4][2]string{
			{"*pgconn.ConnectError", "failed to connect to `host=" + f.peer + "`: password authentication failed (SQLSTATE 28P01)"}, {"org.postgresql.util.PSQLException", "FATAL: password authentication failed"},
			{"psycopg2.OperationalError", "FATAL:  password authentication failed"}, {"error", "password authentication failed"}})
	case failDNS:
		return say([4][2]string{
			{"*net.DNSError", "lookup " + f.peer + ": no such host"}, {"java.net.UnknownHostException", f.peer + ": Temporary failure in name resolution"},
			{"socket.gaierror", "[Errno -3] Temporary failure in name resolution: '" + f.peer + "'"}, {"Error", "getaddrinfo EAI_AGAIN " + f.peer}})
	case failTLS:
		return say([4][2]string{
			{"*tls.CertificateVerificationError", "tls: failed to verify certificate: x509: certificate has expired or is not yet valid"}, {"javax.net.ssl.SSLHandshakeException", "PKIX path validation failed: validity check failed: NotAfter"},
			{"requests.exceptions.SSLError", "HTTPSConnectionPool(host='" + f.peer + "', port=443): [SSL: CERTIFICATE_VERIFY_FAILED] certificate has expired"}, {"Error", "certificate has expired"}})
	case failSchema:
		return say([4][2]string{
			{"*json.UnmarshalTypeError", "json: cannot unmarshal string into Go struct field of type int64"}, {"com.fasterxml.jackson.databind.exc.MismatchedInputException", "Cannot deserialize value of type `long` from String"},
			{"KeyError", "'" + snake(f.fn) + "'"}, {"TypeError", "Cannot read properties of undefined (reading '" + lowerFirst(f.fn) + "')"}})
	case failLimit:
		return say([4][2]string{{"*errors.errorString", "rate limit exceeded"}, {"TooManyRequestsException", "rate limit exceeded"}, {"RateLimitExceeded", "rate limit exceeded"}, {"TooManyRequests", "rate limit exceeded"}})
	}
	s := f.status
	return say([4][2]string{
		{"*errors.errorString", fmt.Sprintf("%s answered %d", f.peer, s)}, {"org.springframework.web.client.HttpServerErrorException", fmt.Sprintf("%d from %s", s, f.peer)},
		{"requests.exceptions.HTTPError", fmt.Sprintf("%d Server Error for url: http://%s/", s, f.peer)}, {"AxiosError", fmt.Sprintf("Request failed with status code %d", s)}})
}

// stack is the text of the exception's stack in the service whose code ran, as its language prints it.
func (f *failure) stack(sys *system, op *operation) string {
	typ, msg := f.words(op.svc.lang)
	at := f.line
	if at == 0 || f.origin != op {
		at = op.line + 9
	}
	fn := op.fn
	if f.fn != "" && f.origin == op && f.kind != failSchema {
		fn = f.fn
	}
	base := op.file[strings.LastIndexByte(op.file, '/')+1:]
	switch op.svc.lang {
	case java:
		pkg := sys.prefix + "." + strings.ReplaceAll(strings.ToLower(op.svc.noun), "-", "")
		s := fmt.Sprintf("%s: %s\n\tat %s.%s.%s(%s:%d)\n", typ, msg, pkg, op.class, fn, base, at)
		if fn != op.fn {
			s += fmt.Sprintf("\tat %s.%s.%s(%s:%d)\n", pkg, op.class, op.fn, base, op.line+4)
		}
		return s + fmt.Sprintf("\tat %s.%sController.%s(%sController.java:%d)\n", pkg, op.thing, op.fn, op.thing, 30+op.line%40) +
			"\tat java.base/jdk.internal.reflect.DirectMethodHandleAccessor.invoke(DirectMethodHandleAccessor.java:103)\n" +
			"\tat org.springframework.web.servlet.FrameworkServlet.service(FrameworkServlet.java:885)\n" +
			"\tat org.apache.catalina.core.ApplicationFilterChain.doFilter(ApplicationFilterChain.java:206)\n"
	case python:
		s := "Traceback (most recent call last):\n" +
			"  File \"/usr/local/lib/python3.12/site-packages/flask/app.py\", line 880, in full_dispatch_request\n    rv = self.dispatch_request()\n" +
			fmt.Sprintf("  File \"/app/%s\", line %d, in %s\n    return handle(request)\n", strings.TrimPrefix(op.file, op.svc.dir+"/"), op.line+4, op.fn)
		if fn != op.fn {
			s += fmt.Sprintf("  File \"/app/%s\", line %d, in %s\n    value = row[key]\n", strings.TrimPrefix(op.file, op.svc.dir+"/"), at, snake(fn))
		}
		return s + typ + ": " + msg + "\n"
	case node:
		return fmt.Sprintf("%s: %s\n    at %s (/app/%s:%d:17)\n    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)\n    at async /app/node_modules/express/lib/router/layer.js:95:5\n",
			typ, msg, fn, strings.TrimPrefix(op.file, op.svc.dir+"/"), at)
	}
	return fmt.Sprintf("%s: %s\n\ngoroutine 4711 [running]:\n%s/%s.(*%s).%s(0xc00011e000, {0x1a2b3c, 0xc0004d2000})\n\t/src/%s:%d +0x1a5\nnet/http.HandlerFunc.ServeHTTP(0xc0000b6000)\n\t/usr/local/go/src/net/http/server.go:2220 +0x29\n",
		typ, msg, "github.com/"+sys.org+"/platform", strings.TrimSuffix(op.file[:max(0, strings.LastIndexByte(op.file, '/'))], "/"), op.class, fn, op.file, at)
}
