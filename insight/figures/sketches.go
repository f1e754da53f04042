package figures

import (
	"encoding/binary"
	"encoding/json"
	"fmt"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/DataDog/sketches-go/ddsketch/mapping"
	"github.com/DataDog/sketches-go/ddsketch/store"
	"github.com/axiomhq/hyperloglog"
)

// accuracy is how far a quantile may be off: one part in a hundred of its value.
const accuracy = 0.01

var logarithmic, _ = mapping.NewLogarithmicMapping(accuracy)

// Quantiles are those of some figure, such as milliseconds until an answer. The zero value has seen nothing. They can be added up, and are
// exact to one part in a hundred. Not safe for concurrent use.
type Quantiles struct {
	sketch *ddsketch.DDSketch
	sum    int64
	n      int64
}

// add sees a value so many times; -1 = once less than it did.
func (q *Quantiles) add(value, times int64) {
	seen := float64(max(value, 0))
	switch {
	case seen > logarithmic.MaxIndexableValue():
		return
	case q.sketch == nil:
		q.sketch = ddsketch.NewDDSketchFromStoreProvider(logarithmic, store.SparseStoreConstructor)
	}
	if times > 0 {
		if err := q.sketch.AddWithCount(seen, float64(times)); err != nil { // only what is no number, or beyond any
			return
		}
	} else {
		q.less(seen, float64(-times))
	}
	q.n += times
	q.sum += times * value
	if q.n == 0 {
		*q = Quantiles{}
	}
}

// less makes the sketch one that saw a value so many times less: sketches can only grow.
func (q *Quantiles) less(value, times float64) {
	zero, left := q.sketch.GetZeroCount(), store.NewSparseStore()
	at, indexed := 0, value > logarithmic.MinIndexableValue()
	if indexed {
		at = logarithmic.Index(value)
	} else {
		zero -= times
	}
	q.sketch.GetPositiveValueStore().ForEach(func(index int, count float64) bool {
		if indexed && index == at {
			count -= times
		}
		if count > 0 {
			left.AddWithCount(index, count)
		}
		return false
	})
	q.sketch = ddsketch.NewDDSketch(logarithmic, left, store.NewSparseStore())
	_ = q.sketch.AddWithCount(0, max(zero, 0)) // it takes any count that is not negative
}

func (q *Quantiles) merge(o *Quantiles) error {
	if o.n == 0 {
		return nil
	}
	if q.sketch == nil {
		q.sketch = ddsketch.NewDDSketchFromStoreProvider(logarithmic, store.SparseStoreConstructor)
	}
	q.n, q.sum = q.n+o.n, q.sum+o.sum
	return q.sketch.MergeWith(o.sketch)
}

// Count is of how many values they are.
func (q *Quantiles) Count() int64 { return q.n }

// Mean is the arithmetic mean, exactly; 0 for no values.
func (q *Quantiles) Mean() float64 {
	if q.n == 0 {
		return 0
	}
	return float64(q.sum) / float64(q.n)
}

// At is the value below which so much of all of them is, 0 to 1; ok is false for no values.
func (q *Quantiles) At(quantile float64) (value float64, ok bool) {
	if q.n == 0 {
		return 0, false
	}
	value, err := q.sketch.GetValueAtQuantile(quantile)
	return value, err == nil
}

// IsZero says whether there were no values.
func (q Quantiles) IsZero() bool { return q.n == 0 }

// MarshalJSON writes them for the record.
func (q Quantiles) MarshalJSON() ([]byte, error) {
	b := binary.AppendVarint(nil, q.n)
	b = binary.AppendVarint(b, q.sum)
	if q.n > 0 {
		q.sketch.Encode(&b, true)
	}
	return json.Marshal(b)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (q *Quantiles) UnmarshalJSON(text []byte) (err error) {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil {
		return err
	}
	*q = Quantiles{}
	for _, v := range []*int64{&q.n, &q.sum} {
		value, n := binary.Varint(b)
		if n <= 0 {
			return fmt.Errorf("quantiles: %d bytes are none", len(b))
		}
		*v, b = value, b[n:]
	}
	if q.n == 0 {
		return nil
	}
	q.sketch, err = ddsketch.DecodeDDSketch(b, store.SparseStoreConstructor, logarithmic)
	return err
}

// Distinct counts how many different people there were. The zero value has seen nobody. It is exact for a few thousand and off by some
// part in a hundred beyond. Not safe for concurrent use.
type Distinct struct{ sketch *hyperloglog.Sketch }

func (d *Distinct) add(hash int64) {
	if d.sketch == nil {
		d.sketch = hyperloglog.New14()
	}
	d.sketch.InsertHash(uint64(hash))
}

func (d *Distinct) merge(o *Distinct) error {
	if o.sketch == nil {
		return nil
	}
	if d.sketch == nil {
		d.sketch = hyperloglog.New14()
	}
	return d.sketch.Merge(o.sketch)
}

// Count is how many there were.
func (d *Distinct) Count() int64 {
	if d.sketch == nil {
		return 0
	}
	return int64(d.sketch.Estimate())
}

// IsZero says whether there was nobody.
func (d Distinct) IsZero() bool { return d.sketch == nil }

// MarshalJSON writes it for the record.
func (d Distinct) MarshalJSON() ([]byte, error) {
	if d.sketch == nil {
		return json.Marshal([]byte{})
	}
	b, err := d.sketch.MarshalBinary()
	if err != nil {
		return nil, err
	}
	return json.Marshal(b)
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Distinct) UnmarshalJSON(text []byte) error {
	var b []byte
	if err := json.Unmarshal(text, &b); err != nil || len(b) == 0 {
		*d = Distinct{}
		return err
	}
	d.sketch = hyperloglog.New14()
	return d.sketch.UnmarshalBinary(b)
}
