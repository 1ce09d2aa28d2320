package simulate

import "strings"

// The words that names are drawn from. They are of trades that no public demo system is about, so that nothing which
// was ever written down about such a system can help.
func nouns() []string {
	return strings.Fields(`meter tariff manifest berth vessel permit claim dossier specimen assay roster lecture transcript
		playlist episode subtitle herd harvest silo beacon orbit antenna survey deed escrow bond ledger pallet dock crane
		turbine feeder outage crew depot gauge valve reservoir sensor badge visitor lease tenant survey parcel warrant
		docket verdict exhibit archive folio chapter edition shelf loan patron donor grant pledge campaign ballot precinct
		recipe menu pantry kitchen course dish allergen trail campsite ranger sighting species habitat glacier avalanche
		flight gate hangar glider tower runway cargo customs transit tram signal junction kiosk locker token wallet
		rebate royalty artist venue encore rehearsal costume prop studio reel clip caption mixer track stem sample loop
		pipette reagent incubator genome variant cohort trial consent triage ward bed infusion dosage vaccine`)
}

func verbs() []string {
	return strings.Fields(`get list create update find reserve release confirm register assign resolve compute render publish
		sync merge validate enrich score match allocate schedule renew archive import export lookup quote issue settle`)
}

func suffixes() []string {
	return strings.Fields(`-api -svc -engine -hub -registry -planner -matcher -indexer -keeper -broker -desk -core -calc -sync
		-resolver -director -service -manager -proxy -feed`)
}

func qualifiers() []string {
	return strings.Fields(`regional internal legacy shared async public partner field night bulk live`)
}

func people() []string {
	return strings.Fields(`okafor lindqvist haruki moreau tessier bakshi oyelaran novotny castellan iversen papadakis rahmani
		duarte kowalczyk halloran nakagawa adeyemi bergstrom fontaine marchetti`)
}

func companies() []string {
	return strings.Fields(`northwind tidewater cobalt juniper harborline stratus veridian meridian lantern foxglove quarry
		ironwood sablefish`)
}

// title turns "night meter" and "night-meter" into "NightMeter".
func title(s string) string {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(s, func(c rune) bool { return c == '-' || c == ' ' || c == '_' || c == '.' }) {
		b.WriteString(strings.ToUpper(w[:1]) + w[1:])
	}
	return b.String()
}

// lowerFirst turns "NightMeter" into "nightMeter".
func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// snake turns "NightMeter" into "night_meter".
func snake(s string) string {
	var b strings.Builder
	for i, c := range s {
		if c >= 'A' && c <= 'Z' {
			if i > 0 {
				b.WriteByte('_')
			}
			c += 'a' - 'A'
		}
		b.WriteRune(c)
	}
	return b.String()
}

// plural is good enough for the nouns above.
func plural(s string) string {
	switch {
	case strings.HasSuffix(s, "s"), strings.HasSuffix(s, "sh"), strings.HasSuffix(s, "ch"):
		return s + "es"
	case strings.HasSuffix(s, "y") && !strings.ContainsRune("aeou", rune(s[len(s)-2])):
		return s[:len(s)-1] + "ies"
	}
	return s + "s"
}

// deck deals words without repeating one before all were dealt.
type deck struct {
	r     random
	words []string
	next  int
}

func newDeck(r random, words []string) *deck {
	r.Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	seen := map[string]bool{}
	kept := words[:0]
	for _, w := range words {
		if !seen[w] {
			seen[w] = true
			kept = append(kept, w)
		}
	}
	return &deck{r: r, words: kept}
}

func (d *deck) deal() string {
	w := d.words[d.next%len(d.words)]
	if d.next >= len(d.words) {
		w = pick(d.r, qualifiers()) + "-" + w
	}
	d.next++
	return w
}
