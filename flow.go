package parley

import (
	"context"
	"time"
)

// A FlowVersion is a flow of a bot as it was saved once. The newest is the draft; at most one is live.
type FlowVersion struct {
	Tenant  TenantID
	Bot     ApplicationID
	Number  int64  // from 1, in the order in which they were saved
	Source  []byte // YAML or JSON, see package flow; nil in lists
	Live    bool   // customers talk to it
	Author  string // who saved it, as the audit log calls them
	Created time.Time
}

// NewestFlow stands for the number of the version that was saved last, LiveFlow for that of the live one.
const (
	NewestFlow int64 = 0
	LiveFlow   int64 = -1
)

// Flows keeps the flows of bots.
type Flows interface {
	// SaveFlow keeps a version as the newest, and is its number. Of the older ones only the live one and the last keep-1 stay.
	SaveFlow(ctx context.Context, v FlowVersion, keep int) (number int64, err error)
	// FlowNumber is the number of a version; NotFound if there is none. What is kept under a number never changes.
	FlowNumber(ctx context.Context, tenant TenantID, bot ApplicationID, number int64) (int64, error)
	// Flow is a version; NotFound if there is none.
	Flow(ctx context.Context, tenant TenantID, bot ApplicationID, number int64) (FlowVersion, error)
	// FlowVersions are those of a bot, newest first.
	FlowVersions(ctx context.Context, tenant TenantID, bot ApplicationID) ([]FlowVersion, error)
	// PublishFlow makes a version live in place of the one that was; NotFound if there is none of that number.
	PublishFlow(ctx context.Context, tenant TenantID, bot ApplicationID, number int64) error
	// DeleteFlows removes those of a bot.
	DeleteFlows(ctx context.Context, tenant TenantID, bot ApplicationID) error
}
