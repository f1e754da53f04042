package blob_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"parley"
	"parley/store/blob"
)

// files lists what a directory holds.
func files(t *testing.T, dir string) (found []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			found = append(found, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func TestFileIsKeptWholeOrNotAtAll(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "assets")
	b, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	ctx := t.Context()

	broken := errors.New("the line broke")
	if _, err := b.Put(ctx, "t/1", "image/png", io.MultiReader(strings.NewReader("half"), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Errorf("Put of a broken stream = %v", err)
	}
	if left := files(t, dir); len(left) != 0 {
		t.Errorf("a broken upload left %v", left)
	}
	if _, err := b.Open(ctx, "t/1"); parley.KindOf(err) != parley.NotFound {
		t.Errorf("Open of what is not there = %v, want NotFound", err)
	}
	if n, err := b.Put(ctx, "t/1", "image/png", strings.NewReader("whole")); err != nil || n != 5 {
		t.Fatalf("Put = %d, %v", n, err)
	}
	r, err := b.Open(ctx, "t/1")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if got, err := io.ReadAll(r); err != nil || string(got) != "whole" {
		t.Errorf("read %q, %v", got, err)
	}
	if err := b.Delete(ctx, "t/1"); err != nil {
		t.Errorf("Delete = %v", err)
	}
	if err := b.Delete(ctx, "t/1"); err != nil {
		t.Errorf("Delete again = %v", err)
	}
}

func TestDirectoryIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "assets")
	b, err := blob.OpenDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	b.Close()
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("mode %v, %v; want 0700", info.Mode(), err)
	}
}
