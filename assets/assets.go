// Package assets keeps the files that messages refer to (reference section 8). A file is announced, which answers with a
// signed URL to upload it to; once it is there it can be read through signed URLs, each good for a few minutes.
//
// The signature is the authority: whoever has the URL may use it, once to upload, any number of times to download, until
// it ends. Records are in the store, bytes in a [parley.Blobs]; both are written before the upload is answered. Files
// that no message uses go after a day ([Assets.Run]).
//
// Safe for concurrent use.
package assets

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"mime"
	"net/url"
	"path"
	"strings"
	"sync"
	"time"

	"parley"
	"parley/ident"
	"parley/tokens"
)

// Records is the part of [parley.Store] that is needed here.
type Records interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// Links signs and checks URLs; [tokens.Tokens] does.
type Links interface {
	SignLink(ctx context.Context, l tokens.Link) (string, error)
	VerifyLink(ctx context.Context, signature, method string) (tokens.Link, error)
}

// Config says where files are reached and how long. Only URL is required.
type Config struct {
	URL      string           // absolute URL under which "upload" and "download" are served, without a slash at the end
	Lifetime time.Duration    // of signed URLs; zero means 5 minutes (reference 8)
	Keep     time.Duration    // how long a file that no message uses is kept; zero means 24 hours
	Log      *slog.Logger     // nil means none
	Now      func() time.Time // nil means time.Now
}

// Assets applies the rules of files. Make one with [New].
type Assets struct {
	cfg     Config
	records Records
	blobs   parley.Blobs
	links   Links

	mu        sync.Mutex
	uploading map[parley.AssetID]bool // on this node, so that two uploads do not write into each other
}

// New returns the files kept in records and blobs.
func New(cfg Config, records Records, blobs parley.Blobs, links Links) *Assets {
	if cfg.Lifetime == 0 {
		cfg.Lifetime = 5 * time.Minute
	}
	if cfg.Keep == 0 {
		cfg.Keep = 24 * time.Hour
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return &Assets{cfg: cfg, records: records, blobs: blobs, links: links, uploading: map[parley.AssetID]bool{}}
}

// A Signed is a URL that carries its own authority.
type Signed struct {
	URL     string
	Expires time.Time
}

// Announce records a file to come, of the given ChannelType, Sender, Name and Size, and says where to upload it. Errors:
// Invalid with BadReference for an unknown channel type, AttachmentRefused or AttachmentTooLarge if the channel does not
// take such a file from such a sender.
func (a *Assets) Announce(ctx context.Context, asset parley.Asset) (parley.Asset, Signed, error) {
	asset.ID, asset.Created = ident.New[parley.Asset](), a.cfg.Now().UTC().Truncate(time.Millisecond)
	asset.ContentType = contentType(asset.Name)
	asset.Uploaded, asset.Used = false, false
	err := a.records.Update(ctx, func(tx parley.Tx) error {
		channel, err := tx.ChannelByType(ctx, asset.Tenant, asset.ChannelType)
		if parley.KindOf(err) == parley.NotFound {
			return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Field: "channel.type", Msg: "there is no channel of that type"}
		}
		if err != nil {
			return err
		}
		switch reason := channel.Restriction(asset.Sender).RefusesFile(extension(asset.Name), asset.Size); reason {
		case parley.Unspecified:
			return tx.InsertAsset(ctx, asset)
		case parley.AttachmentTooLarge:
			return &parley.Error{Kind: parley.Invalid, Reason: reason, Field: "size", Msg: "is more than the channel allows"}
		default:
			return &parley.Error{Kind: parley.Invalid, Reason: reason, Field: "name", Msg: "is of a file that the channel does not allow"}
		}
	})
	if err != nil {
		return parley.Asset{}, Signed{}, fmt.Errorf("announce asset: %w", err)
	}
	signed, err := a.sign(ctx, asset.Tenant, asset.ID, methodUpload, "upload")
	return asset, signed, err
}

// Find is the record of a file, with a fresh URL to download it. NotFound until it is uploaded.
func (a *Assets) Find(ctx context.Context, tenant parley.TenantID, id parley.AssetID) (parley.Asset, Signed, error) {
	asset, err := a.record(ctx, tenant, id)
	if err != nil {
		return parley.Asset{}, Signed{}, err
	}
	if !asset.Uploaded {
		return parley.Asset{}, Signed{}, &parley.Error{Kind: parley.NotFound, Msg: "the asset was not uploaded yet"}
	}
	signed, err := a.sign(ctx, tenant, id, methodDownload, "download")
	return asset, signed, err
}

// DownloadURL is a fresh URL to download a file, for receivers of messages. It does not look whether the file is there.
func (a *Assets) DownloadURL(ctx context.Context, tenant parley.TenantID, id parley.AssetID) (string, error) {
	signed, err := a.sign(ctx, tenant, id, methodDownload, "download")
	return signed.URL, err
}

// Delete removes a file. Forbidden/AssetInUse once a message uses it.
func (a *Assets) Delete(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error {
	err := a.records.Update(ctx, func(tx parley.Tx) error { return tx.DeleteAsset(ctx, tenant, id) })
	if err != nil {
		return fmt.Errorf("delete asset %s: %w", id, err)
	}
	return a.blobs.Delete(ctx, key(tenant, id))
}

// Erase removes the bytes of a file, though messages may have used it. Its record is the caller's to remove. That there are none is no error.
func (a *Assets) Erase(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error {
	return a.blobs.Delete(ctx, key(tenant, id))
}

func (a *Assets) sign(ctx context.Context, tenant parley.TenantID, id parley.AssetID, method, verb string) (Signed, error) {
	expires := a.cfg.Now().UTC().Truncate(time.Second).Add(a.cfg.Lifetime)
	signature, err := a.links.SignLink(ctx, tokens.Link{Tenant: tenant, Asset: id, Method: method, Expires: expires})
	if err != nil {
		return Signed{}, fmt.Errorf("sign %s of asset %s: %w", verb, id, err)
	}
	return Signed{URL: a.cfg.URL + "/" + verb + "?signature=" + url.QueryEscape(signature), Expires: expires}, nil
}

func (a *Assets) record(ctx context.Context, tenant parley.TenantID, id parley.AssetID) (asset parley.Asset, err error) {
	err = a.records.View(ctx, func(tx parley.Tx) (err error) {
		asset, err = tx.Asset(ctx, tenant, id)
		return err
	})
	if err != nil {
		return asset, fmt.Errorf("find asset %s: %w", id, err)
	}
	return asset, nil
}

// Open is the file of a signed download URL. The caller closes it.
func (a *Assets) Open(ctx context.Context, signature string) (parley.Asset, io.ReadCloser, error) {
	link, err := a.links.VerifyLink(ctx, signature, methodDownload)
	if err != nil {
		return parley.Asset{}, nil, err
	}
	asset, err := a.record(ctx, link.Tenant, link.Asset)
	if err != nil {
		return parley.Asset{}, nil, err
	}
	r, err := a.blobs.Open(ctx, key(link.Tenant, link.Asset))
	if err != nil {
		return parley.Asset{}, nil, fmt.Errorf("open asset %s: %w", link.Asset, err)
	}
	return asset, r, nil
}

// key is where the bytes of a file are. Nothing a stranger chose is in it.
func key(tenant parley.TenantID, id parley.AssetID) string {
	return tenant.String() + "/" + id.String()
}

func extension(name string) string { return strings.ToLower(strings.TrimPrefix(path.Ext(name), ".")) }

// contentTypes are those that package mime does not know without the system's help; which types we know must not depend
// on what is installed.
var contentTypes = map[string]string{
	"txt": "text/plain", "csv": "text/csv", "md": "text/markdown", "ics": "text/calendar", "zip": "application/zip",
	"jpg": "image/jpeg", "jpeg": "image/jpeg", "heic": "image/heic", "bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff",
	"mp3": "audio/mpeg", "m4a": "audio/mp4", "ogg": "audio/ogg", "wav": "audio/wav", "mp4": "video/mp4", "mov": "video/quicktime", "webm": "video/webm",
	"doc": "application/msword", "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xls": "application/vnd.ms-excel", "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"ppt": "application/vnd.ms-powerpoint", "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
}

// contentType is derived from a name's extension: it cannot be declared (reference 8).
func contentType(name string) string {
	e := extension(name)
	if known, ok := contentTypes[e]; ok {
		return known
	}
	if media, _, err := mime.ParseMediaType(mime.TypeByExtension("." + e)); err == nil {
		return media
	}
	return "application/octet-stream"
}

// The methods that signed links are good for.
const (
	methodUpload   = "POST"
	methodDownload = "GET"
)
