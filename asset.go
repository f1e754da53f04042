package parley

import (
	"context"
	"io"
	"time"
)

// An Asset is a file that messages may refer to. Its bytes are in a [Blobs]; this is its record.
type Asset struct {
	ID          AssetID
	Tenant      TenantID
	ChannelType string
	Sender      Role
	Name        string // with extension
	Size        int64  // bytes, as declared; the upload must match. -1 = not declared: the upload decides
	ContentType string // derived from the name's extension
	Uploaded    bool
	Used        bool // a message refers to it: it can no longer be deleted
	Created     time.Time
}

// Blobs keeps the bytes of assets. Keys are chosen by the caller and hold no input of strangers.
type Blobs interface {
	// Put stores everything of r under key and returns how many bytes it had. On an error nothing is left behind.
	Put(ctx context.Context, key, contentType string, r io.Reader) (int64, error)
	// Open returns the bytes of key; NotFound if there are none. The caller closes it.
	Open(ctx context.Context, key string) (io.ReadCloser, error)
	// Delete removes key; a missing key is no error.
	Delete(ctx context.Context, key string) error
}
