package flags

import "testing"

func TestOn(t *testing.T) {
	set, err := parse([]byte(`{"flags":{
		"a":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"on"},
		"b":{"state":"ENABLED","variants":{"on":true,"off":false},"defaultVariant":"off"},
		"c":{"state":"DISABLED","variants":{"on":true,"off":false},"defaultVariant":"on"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]bool{"a": true, "b": false, "c": false, "absent": false} {
		if got := set.On(name); got != want {
			t.Errorf("On(%q) = %v, want %v", name, got, want)
		}
	}
}

func TestParseRefusesOtherText(t *testing.T) {
	if _, err := parse([]byte(`flags: {}`)); err == nil {
		t.Error("accepted what is not JSON")
	}
}

func TestTheShopsOwnFile(t *testing.T) {
	if _, err := Load("../../flags.json"); err != nil {
		t.Error(err)
	}
}
