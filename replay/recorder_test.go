package replay

import (
	"bytes"
	"os"
	"testing"
)

func TestDump(t *testing.T) {
	set := recordDesk(t)
	var b bytes.Buffer
	if err := WriteSet(&b, set); err != nil {
		t.Fatal(err)
	}
	os.Stdout.Write(b.Bytes())
	if _, err := ReadSet(&b); err != nil {
		t.Fatal(err)
	}
}
