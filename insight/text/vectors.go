package text

import (
	_ "embed"
	"encoding/binary"
	"math"
	"sync"
)

// vectorFile is made by genvectors: "PVEC1", the number of words (4 bytes, little endian), the number of dimensions (1); then
// each word with its length before it; then each word's rank by frequency (3); then each word's scale (a float32) with
// its numbers as signed bytes, to be multiplied by the scale.
//
//go:embed vectors.bin
var vectorFile string

const dims = 100

// A vocabulary of word vectors. It is not changed after it was read.
type wordVectors struct {
	index map[string]int32
	ranks []int32
	rows  string // of vectorFile, at each index: the scale and the numbers
}

const rowSize = 4 + dims

// englishVectors are read when first asked for, since most programs that link this package look at no English.
var englishVectors = sync.OnceValue(func() *wordVectors {
	rest := vectorFile[len("PVEC1"):]
	n := int(binary.LittleEndian.Uint32([]byte(rest[:4])))
	rest = rest[5:]
	v := &wordVectors{index: make(map[string]int32, n), ranks: make([]int32, n)}
	for i := range n {
		end := 1 + int(rest[0])
		v.index[rest[1:end]] = int32(i)
		rest = rest[end:]
	}
	for i := range n {
		v.ranks[i] = int32(rest[3*i]) | int32(rest[3*i+1])<<8 | int32(rest[3*i+2])<<16
	}
	v.rows = rest[3*n:]
	return v
})

// row gives the vector at an index.
func (v *wordVectors) row(i int32) (x [dims]float32) {
	raw := v.rows[int(i)*rowSize : (int(i)+1)*rowSize]
	scale := math.Float32frombits(binary.LittleEndian.Uint32([]byte(raw[:4])))
	for d := range x {
		x[d] = scale * float32(int8(raw[4+d]))
	}
	return x
}
