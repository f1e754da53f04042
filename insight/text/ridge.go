package text

import (
	"fmt"
	"math"
	"runtime"
	"sync"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"
)

// blockSize is how many columns factorise takes at once, so that what it reads stays in the cache.
const blockSize = 128

// square gives an empty matrix of n rows and columns. Of symmetric ones only the lower half is written.
func square(n int) blas32.General {
	return blas32.General{Rows: n, Cols: n, Stride: n, Data: make([]float32, n*n)}
}

// factorise replaces a symmetric, positive definite matrix by its Cholesky factor. In float32: the ridge keeps the condition
// of kernel matrices below 1e5, and gonum multiplies four numbers at a time.
func factorise(a blas32.General) {
	n := a.Rows
	part := func(row, col, rows, cols int) blas32.General {
		return blas32.General{Rows: rows, Cols: cols, Stride: n, Data: a.Data[row*n+col:]}
	}
	for from := 0; from < n; from += blockSize {
		size := min(blockSize, n-from)
		for j := from; j < from+size; j++ {
			x := a.Data[j*n+from : j*n+j]
			pivot := math.Sqrt(float64(a.Data[j*n+j] - dot32(x, x)))
			if !(pivot > 0) {
				panic(fmt.Sprintf("text: a kernel matrix of %d examples is not positive definite", n))
			}
			a.Data[j*n+j] = float32(pivot)
			for i := j + 1; i < from+size; i++ {
				a.Data[i*n+j] = (a.Data[i*n+j] - dot32(a.Data[i*n+from:i*n+j], x)) / float32(pivot)
			}
		}
		below := n - from - size
		if below == 0 {
			return
		}
		panel := part(from+size, from, below, size)
		blas32.Trsm(blas.Right, blas.Trans, 1, lower(part(from, from, size, size)), panel)
		together((below+blockSize-1)/blockSize, func(chunk int) {
			top := blockSize * chunk
			rows := min(blockSize, below-top)
			left := part(from+size+top, from, rows, size)
			blas32.Syrk(blas.NoTrans, -1, left, 1, blas32.Symmetric{
				N: rows, Stride: n, Uplo: blas.Lower, Data: part(from+size+top, from+size+top, rows, rows).Data})
			if top > 0 {
				blas32.Gemm(blas.NoTrans, blas.Trans, -1, left, part(from+size, from, top, size), 1, part(from+size+top, from+size, rows, top))
			}
		})
	}
}

// solve replaces b by x in a x = b, for each column of b, where a was factorised.
func solve(a, b blas32.General) {
	blas32.Trsm(blas.Left, blas.NoTrans, 1, lower(a), b)
	blas32.Trsm(blas.Left, blas.Trans, 1, lower(a), b)
}

func lower(a blas32.General) blas32.Triangular {
	return blas32.Triangular{N: a.Rows, Stride: a.Stride, Uplo: blas.Lower, Diag: blas.NonUnit, Data: a.Data}
}

func dot32(x, y []float32) float32 {
	y = y[:len(x)]
	var s float32
	for i, v := range x {
		s += v * y[i]
	}
	return s
}

// together calls f for 0 to n-1, on every processor, and returns when all calls have.
func together(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			for i := w; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}
