package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"

	"parley"
)

// emptyMessages leaves of messages of a conversation what is to be left, says of how many that took something away, and names the jobs
// that they came with. Their files are used no more.
func (t *tx) emptyMessages(ctx context.Context, owner, conversation int64, left func(parley.Body) parley.Body, where string, args ...any) (n int64, jobs []parley.JobID, err error) {
	var rows [][]any
	var files []parley.AssetID
	err = query(ctx, t.db, "SELECT seq, deleted, body FROM messages WHERE conversation = ?"+where, append([]any{conversation}, args...), func(r *sql.Rows) error {
		var seq, deleted int64
		var stored []byte
		if err := r.Scan(&seq, &deleted, &stored); err != nil {
			return err
		}
		var body parley.Body
		if err := json.Unmarshal(stored, &body); err != nil {
			return fmt.Errorf("read message %d: %w", seq, err)
		}
		if !body.Job.IsZero() && !slices.Contains(jobs, body.Job) {
			jobs = append(jobs, body.Job)
		}
		files = append(files, filesOf(&body)...)
		body = left(body)
		text, err := json.Marshal(&body)
		if err != nil {
			return err
		}
		if string(text) != string(stored) || parley.Deletion(deleted) != parley.Erased {
			rows = append(rows, []any{conversation, seq, int64(parley.Erased), string(text)})
		}
		return nil
	})
	if err != nil {
		return 0, nil, err
	}
	if err := releaseAssets(ctx, t.db, owner, files); err != nil {
		return 0, nil, err
	}
	return int64(len(rows)), jobs, eraseBodies.run(ctx, t.conn(), rows, discard)
}

var eraseBodies = newBulk("UPDATE messages AS m SET deleted = v.deleted, body = v.body FROM %ROWS% WHERE m.conversation = v.conversation AND m.seq = v.seq",
	column{"conversation", bigint}, column{"seq", bigint}, column{"deleted", bigint}, column{"body", text})

// counted is what is left of a message that goes on to count in the figures, without who said what.
func counted(body parley.Body) parley.Body {
	code := body.Turn != nil && body.Turn.NoText && body.Turn.Code != ""
	steps := body.Steps
	body = withoutContent(body)
	body.Name, body.MessageID, body.Parent, body.Steps = "", "", "", steps // the sender chose the first three
	if code {                                                              // figures leave it out
		body.Turn = &parley.TurnInput{NoText: true, Code: "erased"}
	}
	return body
}

// withoutContent is what is left of a message that is erased.
func withoutContent(body parley.Body) parley.Body {
	body.Content, body.Attachments, body.Attributes, body.Metadata, body.Turn, body.Answer, body.Steps = nil, nil, nil, nil, nil, nil, nil
	return body
}

// releaseFiles says that conversations no longer use their files. What nothing uses then is swept as if nobody ever had.
func (t *tx) releaseFiles(ctx context.Context, owner int64, conversations any) error {
	var files []parley.AssetID
	err := query(ctx, t.db, `SELECT body FROM messages WHERE conversation IN (?) AND body LIKE '%"attachments"%'`, []any{conversations}, func(rows *sql.Rows) error {
		var stored []byte
		if err := rows.Scan(&stored); err != nil {
			return err
		}
		var body parley.Body
		err := json.Unmarshal(stored, &body)
		files = append(files, filesOf(&body)...)
		return err
	})
	if err != nil {
		return fmt.Errorf("read attachments: %w", err)
	}
	return releaseAssets(ctx, t.db, owner, files)
}

// filesOf are the files that a message uses, each as often as it does.
func filesOf(body *parley.Body) (files []parley.AssetID) {
	for _, a := range body.Attachments {
		if !a.Asset.IsZero() {
			files = append(files, a.Asset)
		}
	}
	return files
}
