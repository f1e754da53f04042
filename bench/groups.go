package bench

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/insight/criteria"
)

// groupCriteria are what is asked about the conversations of the store's FillInsights: a region, a tier and an era are a
// quarter, a quarter and a half of all, an agent is one in 200, a customer has about five; an amount is one in 500,000.
var groupCriteria = []struct{ name, text string }{
	{"narrow and narrow", "conversation.metadata.agentId==agent-17;conversation.metadata.customerId==customer-1234"},
	{"one customer and broad", "conversation.metadata.customerId==customer-1234;conversation.metadata.region==north"},
	{"narrow and broad", "conversation.metadata.agentId==agent-17;conversation.metadata.region==north"},
	{"broad and broad", "conversation.metadata.region==north;conversation.metadata.tier==gold"},
	{"broad or broad, and broad", "(conversation.metadata.tier==gold,conversation.metadata.tier==silver);conversation.metadata.region==north"},
	{"broad and not equal", "conversation.metadata.region==north;conversation.metadata.tier!=gold"},
	{"not equal and not equal", "conversation.metadata.agentId!=agent-17;conversation.metadata.tier!=gold"},
	{"in list and broad", "conversation.metadata.region=in=(north,east);conversation.metadata.tier==gold"},
	{"wildcard and broad", "conversation.metadata.agentId==agent-1*;conversation.metadata.region==north"},
	{"wildcard of many values and broad", "conversation.metadata.customerId==customer-12*;conversation.metadata.region==north"},
	{"broad and broad, later half", "conversation.metadata.era==new;conversation.metadata.region==north"},
	{"broad and broad, empty", "conversation.metadata.region==north;conversation.metadata.desk==south"},
	{"wildcard and broad, empty", "conversation.metadata.desk==s*;conversation.metadata.region==north"},
	{"wildcard of 111 values and broad, empty", "conversation.metadata.agentId==agent-1*;conversation.metadata.shift==early"},
	{"at least and below, and broad, empty", "conversation.metadata.agentId>=agent-1;conversation.metadata.agentId<agent-2;conversation.metadata.shift==early"},
	{"wildcard of many values and broad, empty", "conversation.metadata.customerId==customer-1*;conversation.metadata.book==second"},
	{"below of many numbers, and broad", "conversation.metadata.amount<1234.56;conversation.metadata.region==north"},
	{"below of many numbers, and broad, empty", "conversation.metadata.amount<2500;conversation.metadata.size==large"},
	{"above of many numbers, and broad, empty", "conversation.metadata.amount>2499.99;conversation.metadata.size==small"},
	{"at least and below of many texts, and broad, empty", "conversation.metadata.customerId>=customer-1;conversation.metadata.customerId<customer-2;conversation.metadata.book==second"},
	{"below of many texts, and broad, few", "conversation.metadata.customerId<customer-2;conversation.metadata.book==second"},
	{"inner wildcard of 200 values and broad, empty", "conversation.metadata.agentId==*-1*;conversation.metadata.shift==early"},
	{"inner wildcard of many values and broad", "conversation.metadata.customerId==*-12*;conversation.metadata.region==north"},
	{"inner wildcard of many values and broad, empty", "conversation.metadata.customerId==*-1*;conversation.metadata.book==second"},
	{"below of many names, and broad, empty", "conversation.name<call-025;conversation.metadata.size==large"},
	{"at least and below of many names, and broad, empty", "conversation.name>=call-01;conversation.name<call-02;conversation.metadata.size==large"},
	{"below of labels, and broad, empty", "conversation.label<to-f;conversation.metadata.region==north"},
	{"inner wildcard of labels, and broad, empty", "conversation.label==*-s*;conversation.metadata.region==north"},
	{"below of ids, and broad, empty", "conversation.id<$idBefore;conversation.metadata.era==new"},
	{"above of ids, and broad, empty", "conversation.id>$idAfter;conversation.metadata.era==old"},
	{"ended before, and broad, empty", "conversation.endTime<$before;conversation.metadata.era==new"},
	{"ended after, and broad, empty", "conversation.endTime>$after;conversation.metadata.era==old"},
	{"started before, and broad, empty", "conversation.startTime<2026-01-01;conversation.metadata.region==north"},
	{"no condition", ""},
}

// aroundMiddle puts ids and times of an hour before and after the middle conversation in criteria, of those that were filled some minutes before a time.
func aroundMiddle(filled time.Time) *strings.Replacer {
	before := filled.Add(-groupSpan/2 - time.Hour).UTC()
	after := before.Add(2 * time.Hour)
	id := func(at time.Time) string {
		var uuid [16]byte
		binary.BigEndian.PutUint64(uuid[:], uint64(at.UnixMilli())<<16)
		return parley.NumberOf(uuid).String()
	}
	return strings.NewReplacer("$idBefore", id(before), "$idAfter", id(after), "$before", before.Format(time.RFC3339), "$after", after.Format(time.RFC3339))
}

const (
	// groupLists is how often each list is asked for, and groupScans how often the baseline, which is slow.
	groupLists, groupScans = 40, 3
	// groupWindow is the default of the published API, groupWide one that a year's report has.
	groupWindow, groupWide = 7 * 24 * time.Hour, 400 * 24 * time.Hour
	// groupSpan is how far the conversations of FillInsights lie apart.
	groupSpan = 6 * 24 * time.Hour
)

// A Lister lists the first page of a group: by the index of terms, or by a query as one would write it by hand.
type Lister interface {
	ListInsights(ctx context.Context, q parley.InsightQuery, terms bool) (found int, err error)
}

// A groupFigure is what the process that has the store reports.
type groupFigure struct {
	Name, Side string
	P50, P95   float64 // milliseconds
}

// groups measures the first page of a group, beside the same question to the metadata's rows.
func groups(ctx context.Context, o Options, t Target, report *Report) error {
	if o.Groups == 0 {
		return nil
	}
	return inRecord(ctx, o, t, []string{"--list-groups", strconv.Itoa(o.Groups)}, func(line []byte) error {
		var f groupFigure
		if err := json.Unmarshal(line, &f); err != nil {
			return fmt.Errorf("%w: %s", err, line)
		}
		name := fmt.Sprintf("%d conversations, %s", o.Groups, f.Name)
		report.note(t, name, f.Side, "p50 ms", f.P50)
		report.note(t, name, f.Side, "p95 ms", f.P95)
		return nil
	})
}

// inRecord runs this program with more arguments on a record of its own, and calls each for the lines that it writes.
func inRecord(ctx context.Context, o Options, t Target, args []string, each func(line []byte) error) error {
	data, remove, err := t.folder()
	if err != nil {
		return err
	}
	defer remove()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	args = append([]string{"bench", "--repeats", strconv.Itoa(o.Repeats), "--data", data}, args...)
	if t.Database != "" {
		args = append(args, "--database", t.Database)
	}
	c := exec.CommandContext(ctx, self, args...)
	var said bytes.Buffer
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if err := each(lines.Bytes()); err != nil {
			return fmt.Errorf("measure a record: %w", err)
		}
	}
	if err := c.Wait(); err != nil {
		return fmt.Errorf("measure a record: %w: %s", err, said.Bytes())
	}
	return nil
}

// MeasureGroups lists every group some times over and writes what it took, a line for each, for the process that asked.
func MeasureGroups(ctx context.Context, l Lister, repeats int, w io.Writer) error {
	out := json.NewEncoder(w)
	placed := aroundMiddle(time.Now())
	for range repeats {
		for _, window := range []struct {
			name string
			from time.Duration
		}{{"7 days", groupWindow}, {"400 days", groupWide}} {
			for _, g := range groupCriteria {
				now := time.Now()
				q := parley.InsightQuery{Tenant: parley.DefaultTenant, From: now.Add(-window.from), Until: now, Limit: 20}
				if g.text != "" {
					c, err := criteria.Parse(placed.Replace(g.text))
					if err != nil {
						return err
					}
					q.Condition = &c
				}
				f := groupFigure{Name: g.name + ", " + window.name, Side: "scan"}
				var err error
				if f.P50, f.P95, err = timeLists(ctx, l, q, false, groupScans); err != nil {
					return err
				}
				if err := out.Encode(f); err != nil {
					return err
				}
				f.Side = "hub"
				if f.P50, f.P95, err = timeLists(ctx, l, q, true, groupLists); err != nil {
					return err
				}
				if err := out.Encode(f); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func timeLists(ctx context.Context, l Lister, q parley.InsightQuery, terms bool, n int) (p50, p95 float64, err error) {
	took := make([]time.Duration, n)
	for i := range took {
		start := time.Now()
		if _, err := l.ListInsights(ctx, q, terms); err != nil {
			return 0, 0, err
		}
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return milliseconds(percentile(took, 0.5)), milliseconds(percentile(took, 0.95)), nil
}
