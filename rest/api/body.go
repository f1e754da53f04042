package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"

	"parley"
)

// ReadJSON reads the body of a request that must have one, of type application/json with any charset parameter, or of no
// type at all. The bytes are not parsed. There is no 413 and no 415 in the reference (1.1, 1.5): a body too large or of another type is
// 400-152 with key "body" or "Content-Type", an absent one 400-264.
func ReadJSON(r *http.Request) ([]byte, error) {
	if header := r.Header.Get("Content-Type"); header != "" {
		if media, _, err := mime.ParseMediaType(header); err != nil || media != "application/json" {
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "Content-Type", Msg: "must be application/json"}
		}
	}
	raw, err := io.ReadAll(r.Body)
	if tooLarge, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: fmt.Sprintf("is larger than %d bytes", tooLarge.Limit)}
	}
	if err != nil {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "ended before its time", Err: err}
	}
	if len(raw) == 0 {
		return nil, &Refusal{Code: BodyMissing, Key: "body", Msg: "the request needs a body"}
	}
	return raw, nil
}
