package bundle

import "encoding/json"

// Fetched writes what was asked where and what is missing, where a bundle was fetched from servers.
func (w *Writer) Fetched(summary any) error {
	data, err := json.MarshalIndent(summary, "", " ")
	if err != nil {
		return w.fail("context/fetch.json", err)
	}
	return w.whole("context/fetch.json", append(data, '\n'))
}
