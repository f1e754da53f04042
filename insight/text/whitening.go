package text

import (
	_ "embed"
	"encoding/binary"
	"math"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// whiteningFile is made by fit_test.go, from how real queries that want the same differ: the mean of all queries' meanings, then
// the lower half of the Cholesky factor of the covariance within intents, row by row; each number a little-endian float32.
//
//go:embed whitening.bin
var whiteningFile string

// A whitening makes directions in which texts of one intent differ anyway count for less.
type whitening struct {
	center meaning
	factor blas32.General
}

var englishWhitening = sync.OnceValue(readWhitening)

func readWhitening() *whitening {
	rest := whiteningFile
	next := func() float32 {
		x := math.Float32frombits(binary.LittleEndian.Uint32([]byte(rest[:4])))
		rest = rest[4:]
		return x
	}
	w := &whitening{factor: square(dims)}
	for d := range w.center {
		w.center[d] = next()
	}
	for d := range dims {
		for e := range d + 1 {
			w.factor.Data[d*dims+e] = next()
		}
	}
	return w
}

// whiten gives a meaning as it compares with that of another text, again a unit vector or zero.
func whiten(m meaning) meaning {
	if m == (meaning{}) {
		return m
	}
	w := englishWhitening()
	for d := range m {
		m[d] -= w.center[d]
	}
	blas32.Trsv(blas.NoTrans, lower(w.factor), blas32.Vector{N: dims, Inc: 1, Data: m[:]})
	scale := float32(1 / length(&m))
	for d := range m {
		m[d] *= scale
	}
	return m
}
