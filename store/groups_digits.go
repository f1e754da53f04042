package store

import (
	"context"
	"math"
	"time"

	"parley"
)

// Ids grow with time, and so do ends: 4,096 numbers make a millisecond. Of each the block is a word in which it lies, some 17 minutes long; those
// of a range are the first digits of its blocks, and what it has of a block at its ends is decided row by row. A conversation that goes on gets
// another word when its end leaves a block, not with every message.

const (
	// blockBits of a number are not told by words.
	blockBits = 32
	// blockDigits is how many hexadecimal digits number a block: up to the year 2527. What is outside is in the first and the last.
	blockDigits = 6
	blocks      = 1 << (4 * blockDigits)
	// numbersOfMillisecond is how many numbers a millisecond has: see [parley.NumberOf].
	numbersOfMillisecond = 1 << 12
)

func blockOf(number int64) int64 { return min(max(number>>blockBits, 0), blocks-1) }

// numberOfEnd is the number of a time, on the scale of ids.
func numberOfEnd(ms int64) int64 {
	return min(max(ms, 0), math.MaxInt64/numbersOfMillisecond-1) * numbersOfMillisecond
}

func blockOfEnd(end time.Time) int64 { return blockOf(numberOfEnd(end.UnixMilli())) }

// blockText has a character for each digit.
func blockText(block int64) string { return figureText(block)[figureDigits-blockDigits:] }

// digitRange is the range of ids, or of numbers of ends, from low to high, of which there are none below least and above most.
func (t *tx) digitRange(tenant int64, s parley.Selector, low, high, least, most int64) valueRange {
	r := valueRange{selector: s}
	if low, high = max(low, least), min(high, most); low > high {
		return r
	}
	first, last := blockOf(low), blockOf(high)
	r.more = low > least && low > first<<blockBits || high < most && (last == blocks-1 || high < (last+1)<<blockBits-1)
	var cover func(begin int64, digits int)
	cover = func(begin int64, digits int) {
		size := int64(1) << (4 * (blockDigits - digits))
		switch {
		case begin > last || begin+size <= first:
		case digits > 0 && begin >= first && begin+size-1 <= last:
			r.spans = append(r.spans, span{word: t.s.words.prefix(tenant, s, blockText(begin)[:digits]), open: true, grouped: t.s.dialect.unnest})
		default:
			for next := begin; next < begin+size; next += size / 16 {
				cover(next, digits+1)
			}
		}
	}
	cover(0, 0)
	return r
}

// numbers are the least and the most of the ids of a tenant; the least is greater if it has no conversation.
func (t *tx) numbers(ctx context.Context, tenant int64) (least, most int64, err error) {
	err = t.db.NewRaw("SELECT COALESCE((SELECT min(number) FROM insights WHERE tenant = ?), 1), COALESCE((SELECT max(number) FROM insights WHERE tenant = ?), 0)", tenant, tenant).
		Scan(ctx, &least, &most)
	return least, most, err
}

// idRange is the range of a comparison of ids by order.
func (t *tx) idRange(ctx context.Context, tenant int64, c parley.Condition) (valueRange, error) {
	least, most, err := t.numbers(ctx, tenant)
	if err != nil {
		return valueRange{}, err
	}
	f, ok := parley.Figure(c.Values[0].Text())
	if !ok { // texts are compared
		r := t.digitRange(tenant, c.Selector, least, most, least, most)
		switch few, all := fitNumbers(c, least, most); {
		case !all && !few:
			r.spans = nil
		case !all:
			r.more = true
		}
		return r, nil
	}
	low, high := int64(math.MinInt64), int64(math.MaxInt64)
	switch bound := wholeBound(c.Op, f); c.Op {
	case parley.Less:
		if bound == math.MinInt64 {
			return valueRange{selector: c.Selector}, nil
		}
		high = bound - 1
	case parley.LessOrEqual:
		high = bound
	case parley.Greater:
		if bound == math.MaxInt64 {
			return valueRange{selector: c.Selector}, nil
		}
		low = bound + 1
	default:
		low = bound
	}
	return t.digitRange(tenant, c.Selector, low, high, least, most), nil
}

// fitNumbers says of a comparison by order whether some of the ids from least to most may fit, compared like texts that people gave, and whether all do.
func fitNumbers(c parley.Condition, least, most int64) (some, all bool) {
	if least > most {
		return false, false
	}
	first, last := parley.Number(least).String(), parley.Number(most).String()
	fits := func(text string) bool { return c.Op.Holds(parley.CompareTexts(text, c.Values[0].Text())) }
	if _, number := parley.Figure(c.Values[0].Text()); !number && len(first) != len(last) { // not in the order of numbers
		return true, false
	}
	return fits(first) || fits(last), fits(first) && fits(last)
}

// endRange is the range of a comparison of ends. The block of a bound is always in it.
func (t *tx) endRange(tenant int64, c parley.Condition) valueRange {
	all := valueRange{selector: c.Selector}
	for _, v := range c.Values {
		first := numberOfEnd(v.Time.UnixMilli())
		low, high := first, first+numbersOfMillisecond-1
		switch c.Op {
		case parley.Less, parley.LessOrEqual:
			low = 0
		case parley.Greater, parley.GreaterOrEqual:
			high = math.MaxInt64
		}
		all.spans = append(all.spans, t.digitRange(tenant, c.Selector, low, high, 0, math.MaxInt64).spans...)
	}
	all.more = true
	return all
}
