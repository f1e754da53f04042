package store_test

import (
	"testing"

	"parley"
	"parley/ident"
	"parley/store/storetest"
)

// A file that a program sent into two conversations outlives the first whose person is erased, or whose message is; one that the person sent
// does not, wherever it is.
func TestSharedFilesOutliveOneConversation(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		file := func(sender parley.Role) parley.AssetID {
			step := storetest.Start("")
			a := parley.Asset{ID: ident.New[parley.Asset](), Tenant: parley.DefaultTenant, ChannelType: "web_chat", Sender: sender, Name: "x.txt", Size: 1, ContentType: "text/plain", Uploaded: true,
				Created: step.Conversation.Created}
			update(t, s, func(tx parley.Tx) error { return tx.InsertAsset(t.Context(), a) })
			return a.ID
		}
		brochure, photo := file(parley.CustomBot), file(parley.Customer)
		begin := func() *parley.Conversation {
			step := storetest.Start("")
			step.Messages[0].Body.Attachments = []parley.Attachment{{Asset: brochure}, {Asset: photo}}
			step.UsedAssets = []parley.AssetID{brochure, photo}
			storetest.MustCommit(t, s, step)
			return step.Conversation
		}
		first, second, third := begin(), begin(), begin()
		filesOf := func(c *parley.Conversation) (files []parley.AssetID) {
			view(t, s, func(tx parley.Tx) (err error) {
				files, err = tx.FilesOf(t.Context(), parley.DefaultTenant, c.ID)
				return err
			})
			return files
		}
		if got := filesOf(first); len(got) != 1 || got[0] != photo {
			t.Errorf("files of the first are %v, want the person's own %s", got, photo)
		}
		update(t, s, func(tx parley.Tx) error {
			_, err := tx.ErasePerson(t.Context(), parley.DefaultTenant, first.ID)
			return err
		})
		update(t, s, func(tx parley.Tx) error { // once more changes nothing
			_, err := tx.ErasePerson(t.Context(), parley.DefaultTenant, first.ID)
			return err
		})
		step := storetest.Say(third, parley.System, "", 0)
		step.Deletions = []parley.DeletionChange{{Seq: 1, To: parley.Erased}}
		storetest.MustCommit(t, s, step)
		if got := filesOf(second); len(got) != 2 {
			t.Errorf("files of the second are %v, want both: nobody else has them any more", got)
		}
		update(t, s, func(tx parley.Tx) error {
			_, err := tx.Forget(t.Context(), parley.DefaultTenant, second.ID)
			return err
		})
		view(t, s, func(tx parley.Tx) error {
			unused, err := tx.UnusedAssets(t.Context(), second.Created.AddDate(1, 0, 0), 10)
			if len(unused) != 2 {
				t.Errorf("%d files are unused, want both", len(unused))
			}
			return err
		})
	})
}
