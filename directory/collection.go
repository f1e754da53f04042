package directory

import (
	"context"
	"fmt"
	"time"

	"parley"
	"parley/ident"
)

// A Collection is the objects of one kind. Errors: Invalid with a Reason and, where one member is to blame, its path as
// Field; Forbidden for built-in objects; NotFound, also for what belongs to another tenant.
type Collection[T any] struct {
	shared
	kind    parley.ObjectKind
	objects func(parley.Tx) parley.Objects[T]
	id      func(*T) *parley.ID[T]
	base    func(*T) *parley.Base

	// form checks, and completes with defaults, what an object says by itself; old is what it replaces, nil if it is new.
	form func(object, old *T) error
	// refers lists the objects it names, each with the path of the member that does.
	refers func(object *T) []reference
	// suits checks that they are of use for it. It may rely on all of them being there.
	suits func(ctx context.Context, tx parley.Tx, object, old *T) error
	// builtIn says whether the object came with the tenant; nil = none does.
	builtIn func(*T) bool
	// mask hides secrets; nil = there are none.
	mask func(*T)
	// retire is called before a delete, outside of any transaction; nil = nothing to do.
	retire func(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) error
}

// A reference is an object named by a member of another.
type reference struct {
	parley.Reference
	field string
}

// Create keeps a new object under an ID of its own, which it returns. Tenant and times are filled in.
func (c *Collection[T]) Create(ctx context.Context, tenant parley.TenantID, object T) (parley.ID[T], error) {
	return c.create(ctx, tenant, ident.New[T](), object)
}

func (c *Collection[T]) create(ctx context.Context, tenant parley.TenantID, id parley.ID[T], object T) (parley.ID[T], error) {
	*c.id(&object) = id
	base := c.base(&object)
	base.Tenant, base.Created = tenant, c.now()
	base.Modified = base.Created
	if err := c.form(&object, nil); err != nil {
		return parley.ID[T]{}, err
	}
	err := c.records.Update(ctx, func(tx parley.Tx) error {
		return c.write(ctx, tx, &object, nil, c.objects(tx).Insert)
	})
	if err != nil {
		return parley.ID[T]{}, fmt.Errorf("create %s: %w", c.kind, err)
	}
	c.hub.ConfigChanged(ctx, tenant)
	return id, nil
}

// Replace puts the object in the place of the one with that ID, whole: what it leaves out falls back to its default.
func (c *Collection[T]) Replace(ctx context.Context, tenant parley.TenantID, id parley.ID[T], object T) error {
	err := c.records.Update(ctx, func(tx parley.Tx) error {
		old, err := c.changeable(ctx, tx, tenant, id)
		if err != nil {
			return err
		}
		replaced := object // fn may run again
		*c.id(&replaced) = id
		base := c.base(&replaced)
		base.Tenant, base.Created, base.Modified = tenant, c.base(&old).Created, c.now()
		if err := c.form(&replaced, &old); err != nil {
			return err
		}
		return c.write(ctx, tx, &replaced, &old, c.objects(tx).Replace)
	})
	if err != nil {
		return fmt.Errorf("replace %s %s: %w", c.kind, id, err)
	}
	c.hub.ConfigChanged(ctx, tenant)
	return nil
}

// Keep puts an object under an ID that the caller knows: it makes the object, or replaces the one that is there. Operators
// seed programs so that integrators know by fixed ids (reference section 3).
func (c *Collection[T]) Keep(ctx context.Context, tenant parley.TenantID, id parley.ID[T], object T) error {
	err := c.Replace(ctx, tenant, id, object)
	if parley.KindOf(err) != parley.NotFound {
		return err
	}
	_, err = c.create(ctx, tenant, id, object)
	return err
}

// write stores the object and then looks at what it refers to: a name that is taken is told before a reference that is
// wrong (reference 1.5, check order).
func (c *Collection[T]) write(ctx context.Context, tx parley.Tx, object, old *T, store func(context.Context, *T, []parley.Reference) error) error {
	named := c.refers(object)
	refers := make([]parley.Reference, len(named))
	for i, r := range named {
		refers[i] = r.Reference
	}
	err := store(ctx, object, refers)
	if parley.ReasonOf(err) == parley.BadReference {
		return c.absent(ctx, tx, c.base(object).Tenant, named, err)
	}
	if err != nil {
		return err
	}
	return c.suits(ctx, tx, object, old)
}

// absent names the members that refer to nothing; err is what the store said, which does not know members.
func (c *Collection[T]) absent(ctx context.Context, tx parley.Tx, tenant parley.TenantID, named []reference, err error) error {
	var p problems
	for _, r := range named {
		switch err := exists(ctx, tx, tenant, r.Reference); parley.KindOf(err) {
		case parley.NotFound:
			p.add(parley.BadReference, r.field, "there is no %s of that id", r.Kind)
		default:
			if err != nil {
				return err
			}
		}
	}
	if told := p.err(); told != nil {
		return told
	}
	return err
}

// Find is the object of that ID, its secrets masked.
func (c *Collection[T]) Find(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) (T, error) {
	var object T
	err := c.records.View(ctx, func(tx parley.Tx) (err error) {
		object, err = c.objects(tx).Find(ctx, tenant, id)
		return err
	})
	if err != nil {
		var none T
		return none, fmt.Errorf("find %s %s: %w", c.kind, id, err)
	}
	c.hide(&object)
	return object, nil
}

// List is a page of the tenant's objects in order of creation, and how many there are in all.
func (c *Collection[T]) List(ctx context.Context, tenant parley.TenantID, offset, limit int) (page []T, count int, err error) {
	err = c.records.View(ctx, func(tx parley.Tx) (err error) {
		page, count, err = c.objects(tx).List(ctx, tenant, offset, limit)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", c.kind, err)
	}
	for i := range page {
		c.hide(&page[i])
	}
	return page, count, nil
}

// Delete removes the object. Invalid/InUse, with the users as Details, while others refer to it.
func (c *Collection[T]) Delete(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) error {
	if c.retire != nil {
		if err := c.retire(ctx, tenant, id); err != nil {
			return err
		}
	}
	err := c.records.Update(ctx, func(tx parley.Tx) error {
		if _, err := c.changeable(ctx, tx, tenant, id); err != nil {
			return err
		}
		users, err := c.objects(tx).Users(ctx, tenant, id)
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return inUse(users)
		}
		return c.objects(tx).Delete(ctx, tenant, id)
	})
	if err != nil {
		return fmt.Errorf("delete %s %s: %w", c.kind, id, err)
	}
	c.hub.ConfigChanged(ctx, tenant)
	return nil
}

// changeable is the object as stored, Forbidden if it is built in.
func (c *Collection[T]) changeable(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.ID[T]) (T, error) {
	object, err := c.objects(tx).Find(ctx, tenant, id)
	if err == nil && c.builtIn != nil && c.builtIn(&object) {
		err = &parley.Error{Kind: parley.Forbidden, Reason: parley.ActorNotAllowed, Msg: "built-in objects cannot be changed or deleted"}
	}
	return object, err
}

func (c *Collection[T]) hide(object *T) {
	if c.mask != nil && !c.cfg.ShowSecrets {
		c.mask(object)
	}
}

// now is in the resolution that is stored and shown.
func (s *shared) now() time.Time { return s.cfg.Now().UTC().Truncate(time.Millisecond) }

// inUse lists who refers to a thing: key = kind, value = id (reference 1.5).
func inUse(users []parley.Reference) error {
	e := &parley.Error{Kind: parley.Invalid, Reason: parley.InUse, Msg: "others refer to it"}
	for _, u := range users {
		e.Details = append(e.Details, parley.Detail{Key: string(u.Kind), Value: parley.ID[struct{}](u.ID).String()})
	}
	return e
}

// exists is nil if the object is there.
func exists(ctx context.Context, tx parley.Tx, tenant parley.TenantID, r parley.Reference) (err error) {
	switch r.Kind {
	case parley.KindAuthentication:
		_, err = tx.Authentications().Find(ctx, tenant, r.ID)
	case parley.KindApplication:
		_, err = tx.Applications().Find(ctx, tenant, r.ID)
	case parley.KindParticipant:
		_, err = tx.Participants().Find(ctx, tenant, r.ID)
	case parley.KindChannel:
		_, err = tx.Channels().Find(ctx, tenant, r.ID)
	case parley.KindOrchestration:
		_, err = tx.Orchestrations().Find(ctx, tenant, r.ID)
	case parley.KindAccount:
		_, err = tx.Accounts().Find(ctx, tenant, r.ID)
	}
	return err
}
