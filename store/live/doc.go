// Package live keeps what is quick, shared between nodes and may be lost at any time: hints, sessions, typing leases,
// locks and rates, in Redis.
//
// [Open] connects to the Redis it is told of. With "auto" it starts a private redis-server with an append-only file on a
// Unix socket if one is installed, watches over it and stops it at the end; else it runs miniredis inside the process,
// which serves one node only. [Live] implements [parley.Live] and is safe for concurrent use.
//
// When Redis is lost, nothing that was acknowledged is: sessions find messages by Seq, lanes are swept.
package live
