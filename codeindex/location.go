package codeindex

// Location is a place in code that a lead points to, with how sure that is.
type Location struct {
	File       string  `json:"file"`     // slash-separated, relative to the repository's root
	Line       int     `json:"line"`     // 1-based; the most telling line
	From       int     `json:"from"`     // first line of the enclosing function
	To         int     `json:"to"`       // last line of it
	Function   string  `json:"function"` // "Type.Method", "function", "" at file level
	Package    string  `json:"package,omitempty"`
	Language   string  `json:"language"` // "go", "python", "javascript", "typescript", "java"
	Confidence float64 `json:"confidence"`
	Reason     string  `json:"reason"` // "span name literal \"charge\" at the Start call", ...
}

// Query is a lead from telemetry. Empty fields do not constrain.
type Query struct {
	Service string   // its name; used to prefer paths that carry it
	Paths   []string // path prefixes or globs that belong to the service, when configuration says so
	File    string   // code.file.path or a frame's file, absolute or relative, any separator
	Line    int
	// Function and Namespace are code.function.name, a frame's function, a class or a logger's
	// name; abbreviated packages (f.m.s.BasicService) are understood.
	Function  string
	Namespace string
	Span      string // span name
	Method    string // HTTP method
	Route     string // /orders/{id}, /orders/:id, /orders/42
	Log       string // message or template with <*>
	Statement string // database statement
	Peer      string // name of the dependency that is called
}
