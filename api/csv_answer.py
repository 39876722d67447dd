"""An answer as a table: a column a dimension and a metric, in the order of the question."""

from starlette.responses import Response

from api.csv_table import Cell, csv_response, table
from api.query.wire import Answer, Money, Value


def answer_as_csv(given: Answer) -> Response:
    """Earlier periods and what ``meta`` says are not in it, but for what the headers say."""
    names = [*given.query.dimensions, *given.query.metrics]
    rows = [[*row.dimensions, *map(_cell, row.metrics)] for row in given.results]
    return say_basis(csv_response(f"{given.query.site_id}-query", table(names, rows)), given)


def say_basis(response: Response, given: Answer) -> Response:
    """The same, saying in headers what a table has no place for."""
    response.headers["x-millrace-as-of"] = str(given.meta.as_of)
    if given.meta.missing_days:
        response.headers["x-millrace-missing-days"] = ",".join(given.meta.missing_days)
    return response


def _cell(value: Value) -> Cell:
    return f"{value.value} {value.currency}" if isinstance(value, Money) else value
