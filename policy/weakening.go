package policy

import (
	"regexp"
	"strings"

	"github.com/bluekeyes/go-gitdiff/gitdiff"
)

// check is a kind of refusal and how a line of it looks in the languages that are patched.
type check struct {
	what string
	line *regexp.Regexp
}

// checks are in the order in which they are tried; a line counts as the first that fits. They
// err on the side of asking a person.
var checks = []check{
	{"an authorization check", regexp.MustCompile(`(?i)\b(is_?)?(un)?(authori[sz]ed?|authenticated?)\b|forbidden\b|\b(has|check|require)_?(permission|role|scope|login|auth)\w*|login_required|PermissionDenied|Unauthenticated|PreAuthorize|\b(status\w*|abort|response\w*|code)\W{1,3}40[13]\b`)},
	{"an answer that refuses a request (4xx)", regexp.MustCompile(`\b(StatusBadRequest|StatusUnprocessableEntity|StatusNotFound|StatusConflict|StatusTooManyRequests|HTTPBadRequest|BadRequest\w*|INVALID_ARGUMENT|InvalidArgument|FailedPrecondition|HttpStatus\.BAD_REQUEST)\b|(?i:\b(status\w*|abort|code|error)\W{1,3}4\d\d\b)`)},
	{"a validation", regexp.MustCompile(`(?i)\bvalidat(e|or|ion)\w*\b|\bis_?valid\w*\b|\bsaniti[sz]e\w*\b|@(NotNull|NotBlank|NotEmpty|Size|Min|Max|Pattern|Valid)\b|\bbinding:"|\bvalidate:"`)},
	{"an error that is raised for bad input", regexp.MustCompile(`\braise\s+(ValueError|TypeError|KeyError|ValidationError|\w*Invalid\w*|AssertionError)\b|\bthrow\s+new\s+(IllegalArgument|IllegalState|Validation|TypeError|RangeError)\w*|\b(Err|errors\.New\("|fmt\.Errorf\("|new Error\(['"])(?i:invalid|negative|missing|required|must|too )\w*`)},
	{"an assertion", regexp.MustCompile(`^\s*assert\b|\b(Objects\.requireNonNull|Preconditions\.check\w+)\b`)},
	{"a check of a certificate or signature", regexp.MustCompile(`(?i)InsecureSkipVerify|verify_?(ssl|tls|cert\w*|signature|token)\b|\bhmac\.|compare_digest|ConstantTimeCompare`)},
}

// weakenings looks for lines of a source file that refuse something, go away, and do not come
// back in the same file. It knows no syntax: what it finds is a hint that makes a person look.
func weakenings(f *gitdiff.File, file File) []Weakening {
	if file.Kind != "source" && file.Kind != "config" {
		return nil
	}
	returned := map[string]int{}
	kinds := map[string]int{}
	each(f, gitdiff.OpAdd, func(_ int, text string) {
		returned[squeeze(text)]++
		if what := refuses(text); what != "" {
			kinds[what]++
		}
	})
	var out []Weakening
	each(f, gitdiff.OpDelete, func(line int, text string) {
		what := refuses(text)
		if what == "" {
			return
		}
		// The very same line elsewhere, or another of its kind: it was moved or rewritten.
		if key := squeeze(text); returned[key] > 0 {
			returned[key]--
			kinds[what]--
			return
		}
		if kinds[what] > 0 {
			kinds[what]--
			return
		}
		out = append(out, Weakening{Path: file.Path, Line: line, What: what})
	})
	// Certificates are the one check that is weakened by adding a line.
	each(f, gitdiff.OpAdd, func(_ int, text string) {
		if disables.MatchString(text) {
			out = append(out, Weakening{Path: file.Path, Line: 0, What: "the verification of certificates"})
		}
	})
	return out
}

var disables = regexp.MustCompile(`InsecureSkipVerify:?\s*=?\s*true|verify\s*=\s*False|rejectUnauthorized:\s*false|CERT_NONE`)

func refuses(text string) string {
	if comment.MatchString(text) {
		return ""
	}
	for _, c := range checks {
		if c.line.MatchString(text) {
			return c.what
		}
	}
	return ""
}

var comment = regexp.MustCompile(`^\s*(//|#|\*|/\*)`)

// each calls fn for every line of one kind with its number in the file it belongs to.
func each(f *gitdiff.File, op gitdiff.LineOp, fn func(line int, text string)) {
	for _, fragment := range f.TextFragments {
		old := int(fragment.OldPosition)
		for _, l := range fragment.Lines {
			if l.Op == op {
				fn(old, l.Line)
			}
			if l.Op != gitdiff.OpAdd {
				old++
			}
		}
	}
}

// squeeze makes lines equal that differ in white space only.
func squeeze(text string) string { return strings.Join(strings.Fields(text), " ") }
