package analytics

import (
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/insight/figures"
)

// params are the parameters of a query (reference 1.2). What is empty counts as absent, and unknown ones do not matter.
type params url.Values

func readParams(query string) (params, error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return nil, invalid("the query cannot be read")
	}
	return params(values), nil
}

// one is the first value of a parameter, "" if it is absent.
func (p params) one(name string) string {
	if values := p[name]; len(values) > 0 {
		return strings.TrimSpace(values[0])
	}
	return ""
}

func (p params) required(name string) (string, error) {
	v := p.one(name)
	if v == "" {
		return "", invalid("%s is required", name)
	}
	return v, nil
}

// list is all values of a parameter, which come separated by commas, in several parameters of the name, or both.
func (p params) list(name string) (all []string) {
	for _, values := range p[name] {
		for v := range strings.SplitSeq(values, ",") {
			if v = strings.TrimSpace(v); v != "" {
				all = append(all, v)
			}
		}
	}
	return all
}

// time reads a time, or a day, which stands for its first moment in UTC.
func (p params) time(name string) (time.Time, error) {
	v, err := p.required(name)
	if err != nil {
		return time.Time{}, err
	}
	at, ok := readTime(v)
	if !ok {
		return time.Time{}, invalid("%s must be a time like 2026-03-01T00:00:00Z or a day like 2026-03-01", name)
	}
	return at, nil
}

func readTime(v string) (time.Time, bool) {
	if at, err := time.Parse(time.DateOnly, v); err == nil {
		return at, true
	}
	// A plus that was not escaped arrives as a blank.
	at, err := time.Parse(time.RFC3339Nano, strings.Replace(v, " ", "+", 1))
	return at.UTC(), err == nil && sane(at)
}

// sane says whether a time can be counted with; others have years of more or fewer than four digits in UTC.
func sane(at time.Time) bool { return at.Year() > 0 && at.Year() < 9999 }

// The longest ranges.
const (
	longestHourly = 31 * 24 * time.Hour
	longest       = 731 * 24 * time.Hour
)

// between reads the range, which must suit the bucket.
func (p params) between(q *figures.Query) (err error) {
	if q.From, err = p.time("start_time"); err != nil {
		return err
	}
	if q.Until, err = p.time("end_time"); err != nil {
		return err
	}
	return checkRange(q)
}

func checkRange(q *figures.Query) error {
	length := q.Until.Sub(q.From)
	switch {
	case !q.From.Before(q.Until):
		return invalid("start_time must be before end_time")
	case q.Bucket == figures.Hour && length > longestHourly:
		return invalid("end_time may be at most 31 days after start_time with a bucket of 1h")
	case length > longest:
		return invalid("end_time may be at most 731 days after start_time")
	case q.Bucket.Least() > length:
		return invalid("bucket must not be longer than the time from start_time to end_time")
	}
	return nil
}

// bucket reads which is wanted, one of those allowed.
func (p params) bucket(q *figures.Query, allowed ...figures.Bucket) error {
	v := figures.Bucket(p.one("bucket"))
	if !slices.Contains(allowed, v) {
		if v == "" {
			return invalid("bucket is required")
		}
		var names []string
		for _, b := range allowed {
			if b != figures.Whole {
				names = append(names, string(b))
			}
		}
		return invalid("bucket must be one of %s", strings.Join(names, ", "))
	}
	q.Bucket = v
	return nil
}

// version reads which version of the bot is asked for.
func (p params) version(q *figures.Query) (err error) {
	q.Version, err = p.versionNamed()
	return err
}

func (p params) versionNamed() (string, error) {
	v, err := p.required("version")
	if err != nil {
		return "", err
	}
	v = strings.ToUpper(v)
	if v != parley.VersionDraft && v != parley.VersionLive {
		return "", invalid("version must be DRAFT or LIVE")
	}
	return v, nil
}

// someTime reads a range of which either end may be left out.
func (p params) someTime() (from, until time.Time, err error) {
	if p.one("start_time") != "" {
		if from, err = p.time("start_time"); err != nil {
			return from, until, err
		}
	}
	if p.one("end_time") != "" {
		if until, err = p.time("end_time"); err != nil {
			return from, until, err
		}
		if !from.IsZero() && !from.Before(until) {
			return from, until, invalid("start_time must be before end_time")
		}
	}
	return from, until, nil
}

// pageSize is how many a page has: at most 100, however many are asked for. Zero counts as absent.
func (p params) pageSize() (int, error) {
	v := p.one("page_size")
	if v == "" {
		return pageSize, nil
	}
	n, err := strconv.ParseUint(v, 10, 63)
	if errors.Is(err, strconv.ErrRange) {
		return pageSize, nil
	}
	if err != nil {
		return 0, invalid("page_size must be a whole number")
	}
	if n == 0 {
		return pageSize, nil
	}
	return int(min(n, pageSize)), nil
}

// groupBy reads what a series is told by, out of those allowed; several only where that is so.
func (p params) groupBy(q *figures.Query, several bool, allowed ...figures.Dimension) error {
	items := p.list("group_by")
	if !several {
		items = nil
		if v := p.one("group_by"); v != "" {
			items = []string{v}
		}
	}
	for _, v := range items {
		d := figures.Dimension(v)
		if !slices.Contains(allowed, d) {
			var names []string
			for _, a := range allowed {
				names = append(names, string(a))
			}
			return invalid("group_by must be of %s", strings.Join(names, ", "))
		}
		if slices.Contains(q.GroupBy, d) {
			return invalid("group_by names %s twice", d)
		}
		q.GroupBy = append(q.GroupBy, d)
	}
	return nil
}

// filtered is the query of an operation on a bot, with version, filters and range; buckets are those it may have.
func (r *request) filtered(buckets ...figures.Bucket) (figures.Query, error) {
	q := figures.Query{Tenant: r.tenant, Bot: &r.bot, Channels: r.params.list("channel_type"), Languages: r.params.list("language")}
	if err := r.params.version(&q); err != nil {
		return q, err
	}
	if len(buckets) > 0 {
		if err := r.params.bucket(&q, buckets...); err != nil {
			return q, err
		}
	}
	return q, r.params.between(&q)
}

// timestamp is a time in milliseconds since 1970 as it is shown.
func timestamp(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
