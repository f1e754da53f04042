package conversationmgr

import (
	"context"
	"errors"
	"net/http"

	"parley"
	"parley/rest/api"
)

// CreateAsset announces a file. It answers 200, not 201 (reference section 8).
func (s *Surface) CreateAsset(ctx context.Context, r CreateAssetRequestObject) (CreateAssetResponseObject, error) {
	a, signed, err := s.assets.Announce(ctx, parley.Asset{Tenant: tenant(ctx), ChannelType: r.Body.Channel.Type, Sender: parley.Role(r.Body.Sender.Type),
		Name: r.Body.Name, Size: int64(r.Body.Size)})
	return CreateAsset200JSONResponse{Id: a.ID.String(), ContentUrl: signed.URL, ContentUrlExpiry: Time(signed.Expires)}, err
}

// GetAsset reads the record of a file, with a fresh link to it.
func (s *Surface) GetAsset(ctx context.Context, r GetAssetRequestObject) (GetAssetResponseObject, error) {
	id, err := assetIn(r.Id)
	if err != nil {
		return nil, err
	}
	a, signed, err := s.assets.Find(ctx, tenant(ctx), id)
	return GetAsset200JSONResponse{Id: a.ID.String(), ContentUrl: signed.URL, ContentUrlExpiry: Time(signed.Expires), Name: a.Name, Size: int(a.Size), ContentType: a.ContentType}, err
}

// DeleteAsset removes a file that no message uses.
func (s *Surface) DeleteAsset(ctx context.Context, r DeleteAssetRequestObject) (DeleteAssetResponseObject, error) {
	id, err := assetIn(r.Id)
	if err != nil {
		return nil, err
	}
	return DeleteAsset204Response{}, s.assets.Delete(ctx, tenant(ctx), id)
}

// assetIn is the id of a file in a path. Any string is one, but only UUIDs are issued.
func assetIn(id string) (parley.AssetID, error) {
	parsed, err := parley.ParseID[parley.Asset](id)
	if err != nil {
		return parsed, &parley.Error{Kind: parley.NotFound, Msg: "asset not found", Err: err}
	}
	return parsed, nil
}

// maxUpload leaves room for the headers of a form around the largest file.
const maxUpload = parley.MaxAssetSize + 64<<10

func (s *Surface) upload(w http.ResponseWriter, r *http.Request) {
	signature, err := signature(r)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	id, err := s.assets.Receive(r.Context(), signature, r.Header.Get("Content-Type"), r.Body)
	if err != nil {
		if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
			err = &parley.Error{Kind: parley.Invalid, Reason: parley.BadAsset, Msg: "the upload is larger than announced"}
		}
		api.WriteError(w, r, err)
		return
	}
	api.WriteJSON(w, http.StatusOK, map[string]string{"id": id.String()})
}

// download hands a file out.
func (s *Surface) download(w http.ResponseWriter, r *http.Request) {
	signature, err := signature(r)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	a, file, err := s.assets.Open(r.Context(), signature)
	if err != nil {
		api.WriteError(w, r, err)
		return
	}
	defer file.Close()
	api.WriteFile(w, r, &a, file)
}

// signature is the one query parameter of signed URLs.
func signature(r *http.Request) (string, error) {
	if s := r.URL.Query().Get("signature"); s != "" {
		return s, nil
	}
	return "", &api.Refusal{Code: api.ParameterMissing, Key: "signature", Msg: "the query parameter signature is missing"}
}
