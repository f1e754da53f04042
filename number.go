package parley

import (
	"encoding/binary"
	"fmt"
	"strconv"
)

// A Number is the id of a thing on the manage surface, which has decimal digits in a string (reference 1): 16 of them until
// 2039, below 2^53, and in order of creation. Zero names nothing.
type Number int64

// NumberOf is the number made of a UUIDv7: its milliseconds and the 12 bits that follow them, which count within one process. Two
// processes may make the same one; whoever stores it takes the next free one then.
func NumberOf(uuid [16]byte) Number {
	ms := binary.BigEndian.Uint64(uuid[:8]) >> 16
	return Number(ms<<12 | uint64(binary.BigEndian.Uint16(uuid[6:8])&0x0fff))
}

// String is the decimal form.
func (n Number) String() string { return strconv.FormatInt(int64(n), 10) }

// ParseNumber reads the decimal form, which has no sign and no leading zero. Anything else is Invalid.
func ParseNumber(s string) (Number, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 || strconv.FormatInt(n, 10) != s {
		return 0, &Error{Kind: Invalid, Reason: BadValue, Msg: fmt.Sprintf("%q is not an id: those have decimal digits only", s)}
	}
	return Number(n), nil
}
