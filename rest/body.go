package rest

import (
	"net/http"

	"github.com/gorilla/mux"
)

// MaxBody is the largest request body in bytes of surfaces that set no other limit.
const MaxBody = 1 << 20

// LimitBody makes reading a body fail with [http.MaxBytesError] after max bytes. rest/api turns that into an answer.
func LimitBody(max int64) mux.MiddlewareFunc {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			r.Body = http.MaxBytesReader(w, r.Body, max)
			next.ServeHTTP(w, r)
		})
	}
}
