package docket

import "slices"

// Approvable says whether a person ends the hold by approving. Other holds end when what they name is gone, or
// with a rejection or another attempt.
func (h *Hold) Approvable() bool { return h != nil && slices.Contains(approvable, h.Code) }
