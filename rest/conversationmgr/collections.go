package conversationmgr

import (
	"context"

	"parley"
	"parley/directory"
	"parley/rest/api"
	"parley/rest/contract"
)

// What the operations on the six kinds of objects have in common.

// tenant is whose objects a request is about: its token says so, nothing else does.
func tenant(ctx context.Context) parley.TenantID { return api.GrantOf(ctx).Tenant }

// Defaults of reference 1.6.
const (
	firstPage   = 1
	defaultSize = 10
)

// paged is a page of a collection, never nil, so that an empty one is [] on the wire.
func paged[T any](ctx context.Context, c *directory.Collection[T], number *PageNumber, size *PageSize) ([]T, PaginationInfo, error) {
	info := PaginationInfo{Pagenum: api.Or(number, firstPage), Pagesize: api.Or(size, defaultSize)}
	page, count, err := c.List(ctx, tenant(ctx), (info.Pagenum-1)*info.Pagesize, info.Pagesize)
	if page == nil {
		page = []T{}
	}
	info.Count = count
	return page, info, err
}

func find[T any](ctx context.Context, c *directory.Collection[T], id ID) (object T, err error) {
	key, err := contract.IDIn[T](id)
	if err != nil {
		return object, err
	}
	return c.Find(ctx, tenant(ctx), key)
}

// replace puts an object in the place of another unless reading it from the wire failed.
func replace[T any](ctx context.Context, c *directory.Collection[T], id ID, object T, err error) error {
	if err != nil {
		return err
	}
	key, err := contract.IDIn[T](id)
	if err != nil {
		return err
	}
	return c.Replace(ctx, tenant(ctx), key, object)
}

func remove[T any](ctx context.Context, c *directory.Collection[T], id ID) error {
	key, err := contract.IDIn[T](id)
	if err != nil {
		return err
	}
	return c.Delete(ctx, tenant(ctx), key)
}
