"""A table as CSV that a spreadsheet shows and never runs: RFC 4180, UTF-8, a line of names first.

A cell that a spreadsheet would take for a formula begins with an apostrophe, as OWASP advises: the
text of a page, a referrer or a campaign is whatever a stranger has sent.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence

from starlette.requests import Request
from starlette.responses import Response

CSV = "text/csv"
JSON = "application/json"
_FORMULA = re.compile("[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NAME = re.compile(r"[^a-z0-9.-]+")

Cell = str | int | float | None


def table(names: Sequence[str], rows: Iterable[Sequence[Cell]]) -> str:
    """The whole file; None is an empty cell."""
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\r\n")
    writer.writerow([_safe(name) for name in names])
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return written.getvalue()


def csv_response(file_name: str, body: str) -> Response:
    """To be kept as a file of that name; whatever else it holds becomes a dash."""
    plain = _NAME.sub("-", file_name.lower()).strip("-")
    headers = {
        "content-disposition": f'attachment; filename="{plain}.csv"',
        "cache-control": "no-store",
    }
    return Response(body, 200, headers, f"{CSV}; charset=utf-8; header=present")


def prefers_csv(request: Request) -> bool:
    """Whether the request's ``Accept`` ranks CSV above JSON; where it says nothing: no."""
    weights = dict[str, float]()
    for part in request.headers.get("accept", "").split(","):
        kind, *parameters = part.strip().lower().split(";")
        weights[kind.strip()] = _weight(parameters)
    return weights.get(CSV, 0.0) > weights.get(JSON, 0.0)


def _weight(parameters: Iterable[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.strip().partition("=")
        if name == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0


def _safe(cell: Cell) -> Cell:
    return f"'{cell}" if isinstance(cell, str) and _FORMULA.match(cell) else cell
