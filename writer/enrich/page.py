"""The page's host and path. A query is stored only of the names that a site allows."""

from urllib.parse import parse_qsl, urlencode, urlsplit

from msgspec.structs import replace

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


def read_page(draft: Draft) -> Draft:
    """Add host and path, and what of the query the site allows."""
    page, query = _pages[draft.beacon.url]
    allowed = draft.settings.query_params
    if allowed and query:
        kept = [(name, value) for name, value in parse_qsl(query) if name in allowed]
        if kept:
            page = page._replace(page=f"{page.page}?{urlencode(sorted(kept))}")
    return replace(draft, page=page)
