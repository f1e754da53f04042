package admin

import (
	"context"

	"parley"
	"parley/rest/api"
	"parley/rest/contract"
)

func toOrganisation(o parley.Organisation) Organisation {
	return Organisation{Id: o.ID.String(), Name: o.Name, Created: Time(o.Created)}
}

// CreateOrganisation makes one.
func (s *Surface) CreateOrganisation(ctx context.Context, r CreateOrganisationRequestObject) (CreateOrganisationResponseObject, error) {
	id, err := s.administration.CreateOrganisation(ctx, as(ctx), r.Body.Name)
	return CreateOrganisation201JSONResponse{Id: id.String()}, err
}

// ListOrganisations lists them.
func (s *Surface) ListOrganisations(ctx context.Context, r ListOrganisationsRequestObject) (ListOrganisationsResponseObject, error) {
	all, err := s.administration.Organisations(ctx, as(ctx))
	info := pageInfo(r.Params.Pagenum, r.Params.Pagesize)
	page := cut(all, &info)
	return ListOrganisations200JSONResponse{PaginationInfo: info, Organisation: api.List(page, toOrganisation)}, err
}

// GetOrganisation reads one.
func (s *Surface) GetOrganisation(ctx context.Context, r GetOrganisationRequestObject) (GetOrganisationResponseObject, error) {
	id, err := contract.IDIn[parley.Organisation](r.Id)
	if err != nil {
		return nil, err
	}
	o, err := s.administration.Organisation(ctx, as(ctx), id)
	return GetOrganisation200JSONResponse(toOrganisation(o)), err
}

// UpdateOrganisation renames one.
func (s *Surface) UpdateOrganisation(ctx context.Context, r UpdateOrganisationRequestObject) (UpdateOrganisationResponseObject, error) {
	id, err := contract.IDIn[parley.Organisation](r.Id)
	if err != nil || r.Body.Name == nil {
		return UpdateOrganisation204Response{}, err
	}
	return UpdateOrganisation204Response{}, s.administration.RenameOrganisation(ctx, as(ctx), id, *r.Body.Name)
}

// DeleteOrganisation removes one.
func (s *Surface) DeleteOrganisation(ctx context.Context, r DeleteOrganisationRequestObject) (DeleteOrganisationResponseObject, error) {
	id, err := contract.IDIn[parley.Organisation](r.Id)
	if err != nil {
		return nil, err
	}
	return DeleteOrganisation204Response{}, s.administration.DeleteOrganisation(ctx, as(ctx), id)
}
