"""The filter tree as SQL, for both engines."""

from sqlalchemy import (
    ARRAY,
    ColumnElement,
    FromClause,
    Text,
    and_,
    any_,
    case,
    false,
    func,
    literal,
    not_,
    or_,
    true,
)

from api.query.filters import AllOf, AnyOf, Filter, HasDone, Leaf, Not, Unless
from api.query.props import ABSENT, is_prop
from api.query.vocabulary import Kind


def holds(tree: Filter, own: FromClause, visits: FromClause | None) -> ColumnElement[bool]:
    """Null where a visit is asked about that an event does not have."""
    match tree:
        case AllOf(parts):
            return and_(true(), *(holds(part, own, visits) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(holds(part, own, visits) for part in parts))
        case Not(part):
            return not_(holds(part, own, visits))
        case Unless(part):
            return not_(func.coalesce(holds(part, own, visits), false()))
        case HasDone(_, column):
            assert visits is not None
            return visits.c[column]
    return _leaf_holds(tree, own, visits)


def _leaf_holds(leaf: Leaf, own: FromClause, visits: FromClause | None) -> ColumnElement[bool]:
    dimension = leaf.dimension
    if dimension.kind is Kind.VISIT and visits is not None:
        column = visits.c[dimension.name]
    else:
        column = own.c[dimension.column]
    matched: ColumnElement[bool]
    if not leaf.values:
        # No value was found that is meant: false, but null where there is no visit.
        matched = case((column.is_not(None), false()))
    elif leaf.test == "is":
        matched = column == any_(literal(list(leaf.values), ARRAY(Text)))
    else:
        matched = or_(*(func.strpos(column, value) > 0 for value in leaf.values))
        if is_prop(dimension.column):
            matched = and_(matched, column != ABSENT)
    return not_(matched) if leaf.negated else matched
