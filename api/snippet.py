"""What a site's owner pastes into every page."""

from html import escape


def snippet(edge_url: str, site: str, *, local: bool = False) -> str:
    """The tracker's element; `local`: it counts on localhost too."""
    script = escape(f"{edge_url.rstrip('/')}/t.js")
    here = " data-local" if local else ""
    return f'<script defer src="{script}" data-site="{escape(site)}"{here}></script>'
