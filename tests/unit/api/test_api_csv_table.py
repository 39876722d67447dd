"""CSV that a spreadsheet shows and never runs."""

import csv
import io

import pytest
from starlette.requests import Request

from api.csv_table import csv_response, prefers_csv, table

NAMES = ("page", "pageviews")


def _read(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"])
def test_a_cell_that_begins_like_a_formula_begins_with_an_apostrophe(first: str) -> None:
    evil = f'{first}HYPERLINK("https://evil.example","look")'
    assert _read(table(NAMES, [(evil, 1)])) == [list(NAMES), ["'" + evil, "1"]]


def test_commas_quotes_and_line_breaks_come_back_as_they_were() -> None:
    page = '/a,"b"\r\nc\N{SNOWMAN}'
    assert _read(table(NAMES, [(page, 2)]))[1] == [page, "2"]


def test_numbers_stay_numbers_and_nothing_is_an_empty_cell() -> None:
    assert table(("a", "b", "c"), [(-1, 2.5, None)]) == "a,b,c\r\n-1,2.5,\r\n"


def test_the_file_has_a_name_that_no_header_breaks_on() -> None:
    response = csv_response('exämple".com\r\nx: y', "a\r\n")
    assert response.headers["content-disposition"] == 'attachment; filename="ex-mple-.com-x-y.csv"'
    assert response.headers["content-type"] == "text/csv; charset=utf-8; header=present"


@pytest.mark.parametrize(
    ("accept", "wanted"),
    [
        ("", False),
        ("*/*", False),
        ("application/json", False),
        ("text/csv", True),
        ("text/csv, application/json;q=0.5", True),
        ("text/csv;q=0.5, application/json", False),
        ("text/csv;q=0", False),
        ("text/csv;q=often", False),
    ],
)
def test_csv_is_given_to_whom_it_is_dearer_than_json(accept: str, wanted: bool) -> None:
    scope = {"type": "http", "headers": [(b"accept", accept.encode())]}
    assert prefers_csv(Request(scope)) is wanted
