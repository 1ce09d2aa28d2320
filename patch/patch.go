package patch

// Rung is a step of the ladder, cheapest first.
type Rung string

// The rungs in the order in which they are tried.
const (
	FlagOff Rung = "flag_off"
	Revert  Rung = "revert"
	Config  Rung = "config"
	Code    Rung = "code"
)

// Option is one way to end the incident, not yet drafted.
type Option struct {
	ID      string            `json:"id"` // stable within a case: "revert-1a2b3c4", "code-go-retry-backoff"
	Rung    Rung              `json:"rung"`
	Title   string            `json:"title"`            // imperative, made of types, operations and services only
	Why     string            `json:"why"`              // why it might help, with the numbers that suggest it
	Recipe  string            `json:"recipe,omitempty"` // name@version
	Params  map[string]string `json:"params,omitempty"`
	Suspect int               `json:"suspect"` // index of the suspect it addresses
	// Target names the place it changes, "path:Function"; two options of one recipe with
	// the same target are the same option, whichever suspects led to them.
	Target string `json:"target,omitempty"`
	// Size is the number of lines the recipe expects to touch; smaller goes first.
	Size int `json:"size,omitempty"`
}

// Left is an option that was considered and not taken further, with the reason.
type Left struct {
	Rung   Rung   `json:"rung"`
	Recipe string `json:"recipe,omitempty"`
	Why    string `json:"why"`
}

// Plan is the ladder for one incident: options cheapest first, and what was left.
type Plan struct {
	Options []Option `json:"options"`
	Left    []Left   `json:"left"`
}

// Patch is a drafted option: the smallest edits that implement it.
type Patch struct {
	Option Option     `json:"option"`
	Files  []FileEdit `json:"files"`
	Flag   *Flag      `json:"flag,omitempty"` // code rung only
	Tests  []Test     `json:"tests,omitempty"`
	// Telemetry names the span attributes and counters the patch adds.
	Telemetry []string `json:"telemetry,omitempty"`
	// Diff is the unified diff of Files in git's format; git apply and go-gitdiff accept it.
	Diff string `json:"diff"`
	// Summary says in sentences what changes, for a reviewer.
	Summary []string `json:"summary"`
	// Risks says what a reviewer should think about.
	Risks []string `json:"risks,omitempty"`
	// Author is set where a model had a part in it.
	Author *Authorship `json:"author,omitempty"`
}

// FileEdit is the whole old and new content of one file. Old is nil for a new file,
// New nil for a deleted one.
type FileEdit struct {
	Path string   `json:"path"`
	Kind FileKind `json:"kind"`
	Mode uint32   `json:"mode"` // git file mode, 0o100644 or 0o100755
	Old  []byte   `json:"-"`
	New  []byte   `json:"-"`
}

// FileKind says what a file is for.
type FileKind string

// The kinds of files a patch may touch.
const (
	SourceFile FileKind = "source"
	TestFile   FileKind = "test"
	ConfigFile FileKind = "config"
	FlagFile   FileKind = "flag"
	OtherFile  FileKind = "other"
)

// Flag is the feature flag that guards a code change. Off is the behaviour of the base.
type Flag struct {
	Name     string            `json:"name"`
	Provider string            `json:"provider"` // "openfeature", "env", ...
	On       map[string]string `json:"on"`       // environment that turns it on in a test or replay
	Off      map[string]string `json:"off"`      // environment that turns it off
	HowOn    string            `json:"how_on"`   // for people
	HowOff   string            `json:"how_off"`
	// Files carry extra edits that turn the flag on where the provider reads a file.
	Files []FileEdit `json:"-"`
}

// Test is one generated test.
type Test struct {
	File string `json:"file"`
	Name string `json:"name"`
	// Command runs this test alone, from the repository's root, without a shell.
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
	// Behavioural tests compile and run without the change and fail by what they observe;
	// the others fail without it because what they test is not there.
	Behavioural bool   `json:"behavioural"`
	Checks      string `json:"checks"` // in words
}
