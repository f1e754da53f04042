package store

import (
	"context"

	"parley"
)

// pending stands in for what objects.go, administration.go and assets.go will implement on *tx: the configuration
// objects, AccountByAddress, ChannelByType, clients, signing keys, DeleteTenant, assets, and seedTenant. Each method
// written there shadows the one here; this file goes away with the last of them.
type pending interface {
	Authentications() parley.Objects[parley.Authentication]
	Applications() parley.Objects[parley.ClientApplication]
	Participants() parley.Objects[parley.Participant]
	Channels() parley.Objects[parley.Channel]
	Orchestrations() parley.Objects[parley.Orchestration]
	Accounts() parley.Objects[parley.Account]
	AccountByAddress(ctx context.Context, tenant parley.TenantID, channelType, address string) (parley.Account, error)
	ChannelByType(ctx context.Context, tenant parley.TenantID, channelType string) (parley.Channel, error)
	DeleteTenant(ctx context.Context, id parley.TenantID) error
	InsertClient(ctx context.Context, c parley.APIClient) error
	Client(ctx context.Context, id parley.APIClientID) (parley.APIClient, error)
	ClientByPublicID(ctx context.Context, publicID string) (parley.APIClient, error)
	Clients(ctx context.Context, tenant parley.TenantID, offset, limit int) ([]parley.APIClient, int, error)
	ReplaceClient(ctx context.Context, c parley.APIClient) error
	SigningKeys(ctx context.Context) ([]parley.SigningKey, error)
	InsertSigningKey(ctx context.Context, k parley.SigningKey) error
	DeleteSigningKey(ctx context.Context, id string) error
	parley.Assets
}

// seedTenant makes the built-in applications and channel of a new tenant.
func (t *tx) seedTenant(ctx context.Context, n parley.Tenant) error { return nil }
