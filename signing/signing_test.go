package signing

import (
	"strings"
	"testing"
	"time"
)

// The vector that the specification's libraries publish (standard-webhooks/libraries, test of each language).
func TestSignatureOfTheSpecification(t *testing.T) {
	got, err := sign([]string{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}, "msg_p5jXN8AQM9LWM0D4loKWxJek", time.Unix(1614265330, 0), []byte(`{"test": 2432232314}`))
	if want := "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="; err != nil || got != want {
		t.Errorf("sign = %q, %v; want %q", got, err, want)
	}
	if got, err := sign([]string{"whsec_"}, "id", time.Unix(0, 0), nil); err == nil {
		t.Errorf("a secret of no bytes signs: %s", got)
	}
	if _, err := sign([]string{"whsec_not base64: planted"}, "id", time.Unix(0, 0), nil); err == nil || strings.Contains(err.Error(), "planted") {
		t.Errorf("a secret that cannot be read: %v", err)
	}
}
