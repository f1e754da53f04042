// Package blob keeps the bytes of files through gocloud.dev/blob: in a directory, or in a bucket of S3, Google Cloud or
// Azure, named by URL. It is the only user of that library.
//
// Whoever has the bucket can read every file that was sent in a conversation; without it messages stay, their files are
// gone.
package blob

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/gcerrors"

	"parley"
)

// Bucket implements [parley.Blobs]. Safe for concurrent use.
type Bucket struct{ bucket *blob.Bucket }

// OpenDir keeps files under a directory, which it makes, with access for the owner only.
func OpenDir(dir string) (*Bucket, error) {
	// Without a temporary directory of its own fileblob writes to the system's, and a rename from there may cross file
	// systems. Metadata files would double the number of files; the record has what they would say.
	b, err := fileblob.OpenBucket(dir, &fileblob.Options{CreateDir: true, DirFileMode: 0o700, NoTempDir: true, Metadata: fileblob.MetadataDontWrite})
	if err != nil {
		return nil, fmt.Errorf("open asset directory: %w", err)
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		b.Close()
		return nil, fmt.Errorf("open asset directory: %w", err)
	}
	return &Bucket{b}, nil
}

// OpenURL keeps files in the bucket of that URL. Schemes other than file need their driver linked in.
func OpenURL(ctx context.Context, url string) (*Bucket, error) {
	b, err := blob.OpenBucket(ctx, url)
	if err != nil {
		return nil, fmt.Errorf("open asset bucket: %w", err)
	}
	return &Bucket{b}, nil
}

// Close ends the connection; calls after it fail.
func (b *Bucket) Close() error { return b.bucket.Close() }

// Put implements [parley.Blobs].
func (b *Bucket) Put(ctx context.Context, key, contentType string, r io.Reader) (int64, error) {
	ctx, cancel := context.WithCancel(ctx) // a writer that is closed after this writes nothing
	defer cancel()
	w, err := b.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: contentType})
	if err != nil {
		return 0, fmt.Errorf("write blob: %w", err)
	}
	n, err := io.Copy(w, r)
	if err != nil {
		cancel()
		return n, errors.Join(err, ignoreCancelled(w.Close()))
	}
	if err := w.Close(); err != nil {
		return n, fmt.Errorf("write blob: %w", err)
	}
	return n, nil
}

// ignoreCancelled drops what Close says of a writer that was cancelled: that it was.
func ignoreCancelled(err error) error {
	if errors.Is(err, context.Canceled) || gcerrors.Code(err) == gcerrors.Canceled {
		return nil
	}
	return err
}

// Open implements [parley.Blobs].
func (b *Bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	r, err := b.bucket.NewReader(ctx, key, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil, &parley.Error{Kind: parley.NotFound, Msg: "the file is not there", Err: err}
	}
	if err != nil {
		return nil, fmt.Errorf("read blob: %w", err)
	}
	return r, nil
}

// Delete implements [parley.Blobs].
func (b *Bucket) Delete(ctx context.Context, key string) error {
	if err := b.bucket.Delete(ctx, key); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return fmt.Errorf("delete blob: %w", err)
	}
	return nil
}
