package admin

import "parley/rest/api"

// Time is the type of the document's timestamps.
type Time = api.Time
