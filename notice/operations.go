package notice

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"parley"
	"parley/dispatch"
	"parley/signing"
)

// event is the body of an operations callback, shaped as Standard Webhooks suggests.
type event struct {
	Type      dispatch.NoticeEvent `json:"type"`
	Timestamp string               `json:"timestamp"`
	Data      eventData            `json:"data"`
}

type eventData struct {
	Environment named  `json:"environment"`
	Application named  `json:"application"`
	Role        string `json:"role"`
	Reason      string `json:"reason"`
	Delivery    string `json:"delivery,omitempty"`
}

type named struct {
	ID   string `json:"id"`
	Name string `json:"name,omitempty"`
}

// call tries to POST a notice to the operations URL, signed as callbacks are.
func (n *Notifier) call(ctx context.Context, j job) (again bool, err error) {
	data := eventData{Environment: named{j.Receiver.Tenant.String(), j.about.Environment}, Application: named{j.Receiver.Application.String(), j.about.Application},
		Role: string(j.Receiver.Role), Reason: j.Reason}
	if !j.Delivery.IsZero() {
		data.Delivery = j.Delivery.String()
	}
	body, err := json.Marshal(event{j.Event, j.At.UTC().Format(time.RFC3339Nano), data})
	if err != nil {
		return false, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, j.about.Operations.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New("the operations URL cannot be used")
	}
	if err := signing.Stamp(req.Header, []string{j.about.Operations.Secret}, j.id, time.Now(), body); err != nil {
		return false, errors.New("the operations secret cannot be read")
	}
	res, err := n.client.Do(req)
	if err != nil {
		return true, errors.New("no answer from the operations URL, or its address is not allowed (see --callback-allow)") // the cause names the URL
	}
	defer res.Body.Close()
	outcome, _ := dispatch.Judge(res.StatusCode, res.Header, time.Now())
	if outcome == parley.OutcomeDelivered {
		return false, nil
	}
	return outcome == parley.OutcomeRetry, fmt.Errorf("the operations URL answered %d", res.StatusCode)
}
