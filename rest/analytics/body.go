package analytics

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
)

// body reads the object that came with a request. Members that are not known do not matter.
func (r *request) body(into any) error {
	raw, err := io.ReadAll(r.Body)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return &refusal{status: http.StatusRequestEntityTooLarge, msg: "the body is larger than it may be"}
	}
	if err != nil {
		return invalid("the body ended before its time")
	}
	return unmarshal(raw, into)
}

func unmarshal(raw []byte, into any) error {
	if err := json.Unmarshal(raw, into); err != nil {
		if e, ok := errors.AsType[*json.UnmarshalTypeError](err); ok && e.Field != "" {
			return invalid("%s must not be of type %s", e.Field, e.Value)
		}
		return invalid("the body must be a JSON object")
	}
	return nil
}
