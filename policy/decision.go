package policy

// Outcome is what the policy says of a patch.
type Outcome string

// The outcomes. Hold means that a person has to decide; deny wins over hold, hold over allow.
const (
	Allow Outcome = "allow"
	Hold  Outcome = "hold"
	Deny  Outcome = "deny"
)

// Finding is one rule that had something to say.
type Finding struct {
	Rule    string  `json:"rule"`    // "size.lines", "scope.paths", ...
	Effect  Outcome `json:"effect"`  // deny or hold
	Message string  `json:"message"` // with the value and the limit in it
	Path    string  `json:"path,omitempty"`
	Value   any     `json:"value,omitempty"`
	Limit   any     `json:"limit,omitempty"`
}

// Decision is the policy's answer with everything that led to it.
type Decision struct {
	Outcome  Outcome   `json:"outcome"`
	Findings []Finding `json:"findings"` // sorted by effect, rule, path
	Rules    []string  `json:"rules"`    // every rule that was evaluated
	Bundle   string    `json:"bundle"`   // SHA-256 of the policy bundle, hex
}

// Facts is what the policy sees of a patch; its JSON form is the Rego input.
type Facts struct {
	Rung     string   `json:"rung"` // flag_off, revert, config, code; "" for a person's diff
	Recipe   string   `json:"recipe,omitempty"`
	Service  string   `json:"service,omitempty"`
	Severity string   `json:"severity,omitempty"`
	Paths    []string `json:"service_paths"` // globs the service owns; empty means unknown
	Files    []File   `json:"files"`
	Flag     *Flag    `json:"flag,omitempty"`
	// API lists declarations of the public interface that the patch removes or changes.
	API       []APIChange `json:"api_changes"`
	Tests     int         `json:"tests_added"`
	Telemetry []string    `json:"telemetry_added"`
	// Weakened lists checks that the patch seems to remove; see WeakenedChecks.
	Weakened []Weakening `json:"weakened_checks"`
	// Confidence is that of the suspect, 0..1.
	Confidence float64 `json:"confidence"`
}

// File is one changed file.
type File struct {
	Path    string `json:"path"`
	OldPath string `json:"old_path,omitempty"`
	Kind    string `json:"kind"`   // source, test, config, flag, other
	Status  string `json:"status"` // added, modified, deleted, renamed
	Added   int    `json:"added"`
	Deleted int    `json:"deleted"`
	Binary  bool   `json:"binary,omitempty"`
	Symlink bool   `json:"symlink,omitempty"`
	Mode    string `json:"mode,omitempty"` // new mode when it changes
}

// Flag describes the guard.
type Flag struct {
	Name     string `json:"name"`
	Provider string `json:"provider"`
	Default  bool   `json:"default"` // must be false
}

// APIChange is one public declaration that would no longer be what it was.
type APIChange struct {
	Path   string `json:"path"`
	Symbol string `json:"symbol"`
	Change string `json:"change"` // removed, signature
}

// Weakening is one line that refused something and that a patch takes away.
type Weakening struct {
	Path string `json:"path"`
	Line int    `json:"line"` // in the old file, 1-based
	What string `json:"what"` // kind of check, never text of the repository
}
