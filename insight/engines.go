package insight

import (
	"context"
	"sync"

	"parley"
)

// engines keeps compiled engines: that of each tenant as long as its vocabularies are what they were, and those that jobs ask for
// as long as the tenant's is. Those that were not used for longest are forgotten when all together have too many phrases. Safe for
// concurrent use.
type engines struct {
	record  Record
	meaning *Meaning // nil = none
	mu      sync.Mutex
	byID    map[engineID]*compiled
	phrases int   // of all
	uses    int64 // counts
}

// maxCompiled bounds the phrases of all compiled engines, since they and not their number are what takes memory: two tenants with all
// the trackers that they may have, or thousands with a few. One engine is kept, however large.
const maxCompiled = 50_000

// An engineID is zero but for the tenant, or for the job.
type engineID struct {
	tenant parley.TenantID
	job    parley.JobID
}

type compiled struct {
	generation int64   // of a tenant
	of         *engine // that of the tenant, for that of a job
	engine     *engine
	used       int64
}

func newEngines(record Record, meaning *Meaning) *engines {
	return &engines{record: record, meaning: meaning, byID: map[engineID]*compiled{}}
}

// of is the engine of a tenant as its vocabularies are now.
func (s *engines) of(ctx context.Context, tenant parley.TenantID) (*engine, error) {
	var generation int64
	var trackers []parley.Tracker
	var entities []parley.Entity
	have, ok := s.get(engineID{tenant: tenant})
	err := s.record.View(ctx, func(tx parley.Tx) (err error) {
		if generation, err = tx.Generation(ctx, tenant); err != nil || ok && generation == have.generation {
			return err
		}
		if trackers, err = tx.Trackers().List(ctx, tenant); err != nil {
			return err
		}
		entities, err = tx.Entities().List(ctx, tenant)
		return err
	})
	if err != nil {
		return nil, err
	}
	if ok && generation == have.generation {
		return have.engine, nil
	}
	made := &compiled{generation: generation, engine: newEngine(trackers, entities, true, 0)}
	made.engine.meaning = s.meaning
	s.put(engineID{tenant: tenant}, made)
	return made.engine, nil
}

// ofJob is the engine that a job asks for, made of the tenant's once and for as long as that is the same.
func (s *engines) ofJob(own *engine, j *parley.Job, compile func() *engine) *engine {
	id := engineID{job: j.ID}
	if have, ok := s.get(id); ok && have.of == own {
		return have.engine
	}
	made := compile()
	if made != own {
		s.put(id, &compiled{of: own, engine: made})
	}
	return made
}

func (s *engines) get(id engineID) (*compiled, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	c, ok := s.byID[id]
	if ok {
		s.uses++
		c.used = s.uses
	}
	return c, ok
}

func (s *engines) put(id engineID, c *compiled) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drop(id)
	s.uses++
	c.used = s.uses
	s.byID[id] = c
	s.phrases += c.engine.phrases()
	for s.phrases > maxCompiled && len(s.byID) > 1 {
		var oldest engineID
		first := s.uses
		for id, c := range s.byID {
			if c.used < first {
				oldest, first = id, c.used
			}
		}
		s.drop(oldest)
	}
}

func (s *engines) drop(id engineID) {
	if c, ok := s.byID[id]; ok {
		s.phrases -= c.engine.phrases()
		delete(s.byID, id)
	}
}

// phrases is how many an engine looks for, and one for itself.
func (e *engine) phrases() int {
	n := 1 + len(e.values)
	for i := range e.trackers {
		n += len(e.trackers[i].Vocabulary) + len(e.trackers[i].Exclude)
	}
	return n
}
