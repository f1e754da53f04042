package assets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"

	"parley"
)

// Receive stores the bytes of a signed upload URL. media is the Content-Type of the upload; with multipart/form-data the
// file is its one part. Errors: Forbidden/BadSignature; Invalid/BadAsset if the file was uploaded before, or size or type
// are not those announced; NotFound if it was swept meanwhile. A failed upload may be tried again.
func (a *Assets) Receive(ctx context.Context, signature, media string, body io.Reader) (parley.AssetID, error) {
	link, err := a.links.VerifyLink(ctx, signature, methodUpload)
	if err != nil {
		return parley.AssetID{}, err
	}
	asset, err := a.record(ctx, link.Tenant, link.Asset)
	if err != nil {
		return parley.AssetID{}, err
	}
	if asset.Uploaded {
		return parley.AssetID{}, bad("the asset was uploaded before")
	}
	if !a.begin(asset.ID) {
		return parley.AssetID{}, &parley.Error{Kind: parley.Busy, Msg: "the asset is being uploaded"}
	}
	defer a.end(asset.ID)

	file, err := onlyPart(media, body)
	if err != nil {
		return parley.AssetID{}, err
	}
	if file.media != "" && file.media != asset.ContentType {
		return parley.AssetID{}, bad(fmt.Sprintf("the content type must be %s, as the name says", asset.ContentType))
	}
	n, err := a.blobs.Put(ctx, key(asset.Tenant, asset.ID), asset.ContentType, sized(file.r, asset.Size))
	if err != nil {
		if _, ok := errors.AsType[*parley.Error](err); ok {
			return parley.AssetID{}, err
		}
		return parley.AssetID{}, fmt.Errorf("upload asset %s after %d bytes: %w", asset.ID, n, err)
	}
	err = a.records.Update(ctx, func(tx parley.Tx) error { return tx.MarkUploaded(ctx, asset.Tenant, asset.ID, n) })
	if err != nil {
		return parley.AssetID{}, fmt.Errorf("upload asset %s: %w", asset.ID, err)
	}
	return asset.ID, nil
}

func (a *Assets) begin(id parley.AssetID) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.uploading[id] {
		return false
	}
	a.uploading[id] = true
	return true
}

func (a *Assets) end(id parley.AssetID) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.uploading, id)
}

// An upload is the bytes of a file with the type they came with, "" if none.
type upload struct {
	r     io.Reader
	media string
}

// onlyPart is the body itself, or the first part of a form.
func onlyPart(contentType string, body io.Reader) (upload, error) {
	if contentType == "" {
		return upload{r: body}, nil
	}
	media, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return upload{}, bad("the content type cannot be read")
	}
	if media != "multipart/form-data" {
		return upload{body, media}, nil
	}
	part, err := multipart.NewReader(body, params["boundary"]).NextPart()
	if err != nil {
		return upload{}, bad("the form has no part")
	}
	media, _, err = mime.ParseMediaType(part.Header.Get("Content-Type"))
	if err != nil {
		media = ""
	}
	return upload{part, media}, nil
}

// sized reads a file of the size that was declared, or of any up to the largest there may be.
func sized(r io.Reader, size int64) io.Reader {
	if size < 0 {
		return &exactly{r: r, left: parley.MaxAssetSize, less: true}
	}
	return &exactly{r: r, left: size}
}

// exactly passes a given number of bytes on and fails if there are more, or fewer: so a file of another size is never
// stored whole, and no more of it is read than it may have.
type exactly struct {
	r    io.Reader
	left int64
	less bool // there may be fewer
}

func (e *exactly) Read(p []byte) (int, error) {
	if int64(len(p)) > e.left+1 {
		p = p[:e.left+1]
	}
	n, err := e.r.Read(p)
	e.left -= int64(n)
	switch {
	case e.left < 0:
		return 0, bad("the upload is larger than announced, or than files may be")
	case err == io.EOF && e.left > 0 && !e.less: //nolint:errorlint // a Reader returns EOF itself
		return n, bad("the upload is smaller than announced")
	case err != nil && err != io.EOF: //nolint:errorlint // as above
		return n, &parley.Error{Kind: parley.Invalid, Reason: parley.BadAsset, Msg: "the upload broke off", Err: err}
	}
	return n, err
}

func bad(msg string) error {
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadAsset, Msg: msg}
}
