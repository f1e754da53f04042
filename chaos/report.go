package chaos

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Print writes the summary: one line a case, as a table that is also Markdown.
func Print(out io.Writer, reports []Report) error {
	head := []string{"case", "cycles", "kills", "acked", "callbacks", "lost", "reordered", "duplicated", "owed, not sent", "missed", "refused", "ready max", "resumed p99", "lanes max", "settled"}
	rows := [][]string{head}
	var sum Report
	for _, r := range reports {
		rows = append(rows, r.row())
		sum.Cycles, sum.Kills, sum.Acked, sum.Arrivals = sum.Cycles+r.Cycles, sum.Kills+r.Kills, sum.Acked+r.Acked, sum.Arrivals+r.Arrivals
		sum.Lost, sum.Reordered, sum.Duplicated = sum.Lost+r.Lost, sum.Reordered+r.Reordered, sum.Duplicated+r.Duplicated
		sum.Unsent, sum.Missed, sum.Refused = sum.Unsent+r.Unsent, sum.Missed+r.Missed, sum.Refused+r.Refused
		sum.Starts, sum.Resumes, sum.Lanes = append(sum.Starts, r.Starts...), append(sum.Resumes, r.Resumes...), append(sum.Lanes, r.Lanes...)
		sum.Settled = max(sum.Settled, r.Settled)
	}
	sum.Case = "all"
	rows = append(rows, sum.row())
	widths := make([]int, len(head))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], len(cell))
		}
	}
	for n, row := range rows {
		line := []string{fmt.Sprintf("| %-*s", widths[0], row[0])}
		for i, cell := range row[1:] {
			line = append(line, fmt.Sprintf("%*s", widths[i+1], cell))
		}
		if _, err := fmt.Fprintln(out, strings.Join(line, " | ")+" |"); err != nil {
			return err
		}
		if n == 0 {
			if _, err := fmt.Fprintln(out, "| --- |"+strings.Repeat(" ---: |", len(row)-1)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Report) row() []string {
	row := []string{r.Case}
	for _, n := range []int{r.Cycles, r.Kills, r.Acked, r.Arrivals, r.Lost, r.Reordered, r.Duplicated, r.Unsent, r.Missed, r.Refused} {
		row = append(row, strconv.Itoa(n))
	}
	for _, d := range []time.Duration{percentile(r.Starts, 100), percentile(r.Resumes, 99), percentile(r.Lanes, 100), r.Settled} {
		text := "-"
		if d > 0 {
			text = strconv.FormatFloat(d.Seconds(), 'f', 2, 64) + " s"
		}
		row = append(row, text)
	}
	return row
}

// Explain writes what was wrong with a case, and what its clients lived through.
func (r *Report) Explain(out io.Writer) {
	for _, d := range r.Details {
		fmt.Fprintf(out, "  violated: %s\n", d)
	}
	for _, l := range r.Late {
		fmt.Fprintf(out, "  late: %s\n", l)
	}
	for _, t := range slices.Sorted(maps.Keys(r.Troubles)) {
		fmt.Fprintf(out, "  clients met %d times: %s\n", r.Troubles[t], t)
	}
}
