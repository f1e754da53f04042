package admin

import (
	"context"
	"time"

	"parley"
	"parley/directory"
	"parley/rest/api"
)

func toKey(k parley.APIClient) Key {
	return Key{Id: k.PublicID, EnvironmentId: k.Tenant.String(), Kind: KeyKind(k.Kind), BotId: api.Some(k.Application.String()), Name: api.Some(k.Name), ExpiresAt: someTime(k.Expires),
		Created: Time(k.Created), Modified: Time(k.Modified)}
}

// CreateKey makes one; its secret is in this answer and nowhere else.
func (s *Surface) CreateKey(ctx context.Context, r CreateKeyRequestObject) (CreateKeyResponseObject, error) {
	k := parley.APIClient{Kind: parley.KeyKind(r.Body.Kind), Name: api.Value(r.Body.Name), Expires: time.Time(api.Value(r.Body.ExpiresAt))}
	if r.Body.BotId != nil {
		var err error
		if k.Application, err = parley.ParseID[parley.ClientApplication](*r.Body.BotId); err != nil {
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "botId", Msg: "there is no bot of that id in the environment"}
		}
	}
	if r.Body.EnvironmentId != nil {
		var err error
		if k.Tenant, err = parley.ParseID[parley.Tenant](*r.Body.EnvironmentId); err != nil {
			return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "environmentId", Msg: "there is no environment of that id"}
		}
	}
	made, secret, err := s.administration.CreateKey(ctx, as(ctx), k)
	out := CreateKey201JSONResponse{Id: made.PublicID}
	switch made.Kind {
	case parley.KeyManage:
		out.AppId, out.AppSecret = &made.PublicID, &secret
	case parley.KeyFigures:
		out.TokenId, out.TokenSecret = &made.PublicID, &secret
	default:
		out.Key = new(directory.WholeKey(&made, secret))
	}
	return out, err
}

// ListKeys lists those of one environment.
func (s *Surface) ListKeys(ctx context.Context, r ListKeysRequestObject) (ListKeysResponseObject, error) {
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	q := parley.ClientQuery{Offset: (info.Pagenum - 1) * info.Pagesize, Limit: info.Pagesize}
	var err error
	if q.Tenant, err = tenantOf(ctx, r.Params.EnvironmentId); err != nil {
		return nil, err
	}
	if r.Params.Kind != nil {
		q.Kinds = []parley.KeyKind{parley.KeyKind(*r.Params.Kind)}
	}
	page, count, err := s.administration.Keys(ctx, as(ctx), q)
	info.Count = count
	return ListKeys200JSONResponse{PaginationInfo: info, Key: api.List(page, toKey)}, err
}

// GetKey reads one.
func (s *Surface) GetKey(ctx context.Context, r GetKeyRequestObject) (GetKeyResponseObject, error) {
	k, err := s.administration.Key(ctx, as(ctx), r.Id)
	return GetKey200JSONResponse(toKey(k)), err
}

// UpdateKey changes what the body names.
func (s *Surface) UpdateKey(ctx context.Context, r UpdateKeyRequestObject) (UpdateKeyResponseObject, error) {
	var expires *time.Time
	if text := r.Body.ExpiresAt; text != nil {
		expires = new(time.Time)
		if *text != "" {
			var err error
			if *expires, err = time.Parse(time.RFC3339, *text); err != nil {
				return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "expiresAt", Msg: "must be a time, or empty"}
			}
		}
	}
	return UpdateKey204Response{}, s.administration.ChangeKey(ctx, as(ctx), r.Id, r.Body.Name, expires)
}

// DeleteKey revokes one.
func (s *Surface) DeleteKey(ctx context.Context, r DeleteKeyRequestObject) (DeleteKeyResponseObject, error) {
	return DeleteKey204Response{}, s.administration.RevokeKey(ctx, as(ctx), r.Id)
}
