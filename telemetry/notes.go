package telemetry

import (
	"slices"
	"strings"
)

// The codes of notes.
const (
	NoteMalformedLine    = "malformed_line"
	NoteLongLine         = "long_line"
	NoteMalformedSpan    = "malformed_span"
	NoteCutDocument      = "cut_document"
	NoteForeignID        = "foreign_id"
	NoteRelativeTime     = "relative_time"
	NoteSharedID         = "shared_id"
	NoteProfileValue     = "profile_value"
	NoteEmptyProfile     = "empty_profile"
	NoteTextID           = "text_id"
	NoteDuplicateSpan    = "duplicate_span"
	NoteDuplicateLog     = "duplicate_log"
	NoteDuplicateID      = "duplicate_id"
	NoteKindInferred     = "kind_inferred"
	NoteStatusInferred   = "status_inferred"
	NoteClockSkew        = "clock_skew"
	NoteBrokenTrace      = "broken_trace"
	NoteHeadless         = "headless_trace"
	NoteUnfinished       = "unfinished_span"
	NoteInvalidText      = "invalid_text"
	NoteSpanCycle        = "span_cycle"
	NoteTimeOutOfRange   = "time_out_of_range"
	NoteFarFromWindow    = "far_from_window"
	NoteNegativeDuration = "negative_duration"
	NoteCut              = "value_cut"
	NoteLimit            = "limit_reached"
	NoteNoService        = "no_service_name"
	NoteNoID             = "no_span_id"
)

// noteTexts say each note in words.
var noteTexts = map[string]string{
	NoteMalformedLine:    "lines, documents or messages could not be decoded and were skipped",
	NoteLongLine:         "lines or documents were longer than the limit and were skipped",
	NoteMalformedSpan:    "spans within documents could not be decoded and were skipped",
	NoteCutDocument:      "documents end too early; what is whole in them was kept",
	NoteForeignID:        "ids are not hexadecimal or too long; hashes of them stand for them",
	NoteRelativeTime:     "spans count their time from an origin of their own and were moved to 1990",
	NoteProfileValue:     "samples of profiles carry negative or absurd values and were left out",
	NoteEmptyProfile:     "profiles measured nothing",
	NoteTextID:           "log records name their trace in text or attributes only; it was taken from there",
	NoteSharedID:         "server spans shared the id of the client span that called them; they were made its children",
	NoteDuplicateSpan:    "spans were delivered more than once; one of each was kept",
	NoteDuplicateLog:     "log records were delivered more than once; one of each was kept",
	NoteDuplicateID:      "different spans carry the id of another span of their trace; all were kept",
	NoteKindInferred:     "spans had no kind; it was concluded from their attributes and neighbours",
	NoteStatusInferred:   "spans had no status; it was concluded from their attributes",
	NoteClockSkew:        "spans were moved in time because the clock of their process disagrees with its caller's",
	NoteBrokenTrace:      "traces lack spans that others name as parent",
	NoteHeadless:         "traces lack their beginning: whatever called their first spans sent none",
	NoteUnfinished:       "spans have no end; their duration was set to zero",
	NoteInvalidText:      "texts were not UTF-8; what is no character was replaced",
	NoteSpanCycle:        "traces have spans that are their own ancestors; the cycle was cut at the earliest span",
	NoteTimeOutOfRange:   "records carry an impossible time and were left out",
	NoteFarFromWindow:    "records lie days away from the others and were left out",
	NoteNegativeDuration: "spans end before they start; their duration was set to zero",
	NoteCut:              "values were longer than the limit and were cut",
	NoteLimit:            "records were left out because the limit was reached",
	NoteNoService:        "resources have no service.name",
	NoteNoID:             "spans have no id or trace id and were left out",
}

// noteCounts counts remarks by code.
type noteCounts map[string]int

func (n noteCounts) add(code string, count int) {
	if count > 0 {
		n[code] += count
	}
}

// notes lists the remarks by code.
func (n noteCounts) notes() []Note {
	out := make([]Note, 0, len(n))
	for code, count := range n {
		out = append(out, Note{Code: code, Text: noteTexts[code], Count: count})
	}
	slices.SortFunc(out, func(a, b Note) int { return strings.Compare(a.Code, b.Code) })
	return out
}
