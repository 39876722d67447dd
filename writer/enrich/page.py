"""The page's host and path. A query is stored only of the names that a site allows."""

from collections.abc import Sequence
from urllib.parse import parse_qsl, urlencode, urlsplit

from writer.draft import Draft, Page
from writer.enrich.remembered import Remembered


def split(url: str) -> tuple[str, str, str]:
    """(host without ``www.`` or port, path, query); empty where there is no address."""
    if not url:
        return "", "", ""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return "", "", ""
    return host.removeprefix("www."), parts.path or "/", parts.query


def _page_of(url: str) -> tuple[Page, str]:
    host, path, query = split(url)
    return Page(host, path), query


_pages = Remembered(_page_of, 50_000)


def read_page(drafts: Sequence[Draft]) -> None:
    """Add host and path, and what of the query the site allows."""
    for draft in drafts:
        page, query = _pages[draft.beacon.url]
        allowed = draft.settings.query_params
        draft.page = _with_query(page, query, allowed) if allowed and query else page


def _with_query(page: Page, query: str, allowed: tuple[str, ...]) -> Page:
    kept = [(name, value) for name, value in parse_qsl(query) if name in allowed]
    return Page(page.hostname, f"{page.page}?{urlencode(sorted(kept))}") if kept else page
