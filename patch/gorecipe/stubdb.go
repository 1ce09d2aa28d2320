package gorecipe

import "strings"

// db makes a database handle whose driver asks arrive, declared in the test file. Queries give no
// rows.
func (s *synth) db() (string, bool) {
	if !s.database {
		return "", false
	}
	s.stubbed = true
	name := s.pkg.freshDecl("remediatorDriver")
	rows := s.pkg.freshDecl("remediatorRows")
	if _, ok := s.stubs["database/sql"]; !ok {
		s.stubs["database/sql"] = name
		text := strings.NewReplacer("DRIVER", name, "ROWS", rows, "driver.", s.t.use("database/sql/driver")+".",
			"context.", s.t.use("context")+".", "errors.", s.t.use("errors")+".", "io.", s.t.use("io")+".").Replace(stubDriver)
		s.t.decls = append(s.t.decls, text)
	}
	return s.t.use("database/sql") + ".OpenDB(" + s.stubs["database/sql"] + "{arrive})", true
}

const stubDriver = `// DRIVER is a database driver; arrive decides how a statement ends.
type DRIVER struct {
	arrive func(context.Context) error
}

func (d DRIVER) Connect(context.Context) (driver.Conn, error) { return d, nil }
func (d DRIVER) Driver() driver.Driver                        { return nil }
func (d DRIVER) Close() error                                 { return nil }
func (d DRIVER) Begin() (driver.Tx, error)                    { return nil, errors.New("no transactions here") }
func (d DRIVER) Prepare(string) (driver.Stmt, error)          { return nil, errors.New("nothing is prepared here") }

func (d DRIVER) QueryContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Rows, error) {
	return ROWS{}, d.arrive(ctx)
}

func (d DRIVER) ExecContext(ctx context.Context, _ string, _ []driver.NamedValue) (driver.Result, error) {
	return driver.ResultNoRows, d.arrive(ctx)
}

// ROWS is an empty result.
type ROWS struct{}

func (ROWS) Columns() []string         { return nil }
func (ROWS) Close() error              { return nil }
func (ROWS) Next([]driver.Value) error { return io.EOF }
`
