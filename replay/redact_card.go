package replay

import (
	"bytes"
)

func manyDigits(s string) bool {
	n := 0
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			n++
		}
	}
	return n >= 13
}

// isCard checks length, first digit (2 to 6: the networks in use) and the Luhn check digit
// (ISO/IEC 7812-1, annex B).
func isCard(match string) bool {
	digits := onlyDigits(match)
	if len(digits) < 13 || len(digits) > 19 || digits[0] < '2' || digits[0] > '6' {
		return false
	}
	// All zeros but for the issuer and the last two digits is what a stand-in looks like.
	return luhn(digits) == 0 && !bytes.HasPrefix(digits, []byte("40000000"))
}

func onlyDigits(s string) []byte {
	var out []byte
	for i := 0; i < len(s); i++ {
		if s[i] >= '0' && s[i] <= '9' {
			out = append(out, s[i])
		}
	}
	return out
}

// luhn is the Luhn sum modulo 10; 0 for a valid number.
func luhn(digits []byte) int {
	sum := 0
	for i, d := range digits {
		v := int(d - '0')
		if (len(digits)-i)%2 == 0 {
			if v *= 2; v > 9 {
				v -= 9
			}
		}
		sum += v
	}
	return sum % 10
}

// cardStandIn is a card number of the same length and grouping that passes the Luhn check and
// belongs to nobody.
func cardStandIn(match string, n int) string {
	digits := onlyDigits(match)
	last := len(digits) - 1
	for i := range digits {
		digits[i] = '0'
	}
	digits[0] = '4'
	for i := last - 1; i > 8 && n > 0; i-- {
		digits[i] = byte('0' + n%10)
		n /= 10
	}
	digits[last] = byte('0' + (10-luhn(digits))%10)
	out := []byte(match)
	next := 0
	for i := range out {
		if out[i] >= '0' && out[i] <= '9' {
			out[i] = digits[next]
			next++
		}
	}
	return string(out)
}
