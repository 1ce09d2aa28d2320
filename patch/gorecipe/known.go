package gorecipe

// knownCall is the results of the functions of other packages that outgoing calls are made with.
func knownCall(path, name string) []typ {
	err := predeclared("error")
	switch path + "." + name {
	case "net/http.NewRequest", "net/http.NewRequestWithContext":
		return []typ{ptr(external("net/http", "Request")), err}
	case "net/http.Get", "net/http.Post", "net/http.PostForm", "net/http.Head":
		return []typ{ptr(external("net/http", "Response")), err}
	case "database/sql.Open":
		return []typ{ptr(external("database/sql", "DB")), err}
	case "context.Background", "context.TODO", "context.WithValue", "context.WithoutCancel":
		return []typ{external("context", "Context")}
	case "context.WithTimeout", "context.WithCancel", "context.WithDeadline":
		return []typ{external("context", "Context"), external("context", "CancelFunc")}
	case "errors.New", "fmt.Errorf":
		return []typ{err}
	case "fmt.Sprintf", "fmt.Sprint":
		return []typ{predeclared("string")}
	case "time.Now":
		return []typ{external("time", "Time")}
	}
	return nil
}

func knownMethod(t typ, name string) []typ {
	err := predeclared("error")
	response := []typ{ptr(external("net/http", "Response")), err}
	if t.kind == pointer {
		t = *t.elem
	}
	switch t.path + "." + t.name + "." + name {
	case "net/http.Client.Do", "net/http.Client.Get", "net/http.Client.Post", "net/http.Client.PostForm", "net/http.Client.Head", "net/http.RoundTripper.RoundTrip":
		return response
	case "net/http.Request.Context":
		return []typ{external("context", "Context")}
	case "net/http.Request.WithContext", "net/http.Request.Clone":
		return []typ{ptr(external("net/http", "Request"))}
	case "go.opentelemetry.io/otel/trace.Tracer.Start":
		return []typ{external("context", "Context"), external("go.opentelemetry.io/otel/trace", "Span")}
	case "database/sql.DB.QueryContext", "database/sql.DB.Query", "database/sql.Tx.QueryContext", "database/sql.Tx.Query", "database/sql.Conn.QueryContext", "database/sql.Stmt.QueryContext", "database/sql.Stmt.Query":
		return []typ{ptr(external("database/sql", "Rows")), err}
	case "database/sql.DB.Conn":
		return []typ{ptr(external("database/sql", "Conn")), err}
	case "database/sql.DB.BeginTx", "database/sql.DB.Begin":
		return []typ{ptr(external("database/sql", "Tx")), err}
	}
	return nil
}

func knownField(t typ, name string) typ {
	if t.kind == pointer {
		t = *t.elem
	}
	switch t.path + "." + t.name + "." + name {
	case "net/http.Response.StatusCode":
		return predeclared("int")
	case "net/http.Request.URL":
		return ptr(external("net/url", "URL"))
	case "net/http.Response.Request":
		return ptr(external("net/http", "Request"))
	case "net/http.Response.Body", "net/http.Request.Body":
		return external("io", "ReadCloser")
	}
	return typ{}
}
