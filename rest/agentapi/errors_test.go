package agentapi

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"parley"
)

// Every kind of error of the layers below has its answer; the surface has no other statuses than these four (reference 2).
func TestEveryKindHasItsStatus(t *testing.T) {
	want := map[parley.Kind]int{parley.Internal: 500, parley.Invalid: 400, parley.Unauthenticated: 500, parley.Forbidden: 500, parley.NotFound: 404, parley.Conflict: 500, parley.Closed: 400, parley.Busy: 500}
	for _, kind := range parley.Kinds() {
		err := fmt.Errorf("post: %w", &parley.Error{Kind: kind, Field: "message", Msg: "is planted", Err: errors.New("planted in SQL")})
		got := refusalOf(err)
		var details []detail
		switch kind {
		case parley.Invalid:
			details = []detail{{"message", "is planted"}}
		case parley.Closed:
			details = []detail{{"conversation", "is over"}}
		}
		if diff := cmp.Diff(details, got.details); got.status != want[kind] || diff != "" {
			t.Errorf("%s is %d, want %d (-want +got)\n%s", kind, got.status, want[kind], diff)
		}
	}
	if got := refusalOf(errors.New("planted")); got.status != 500 || len(got.details) > 0 {
		t.Errorf("an unknown error is %+v", got)
	}
}
