"""How visitors find the site."""

from random import Random
from typing import NamedTuple

from infrastructure.traffic.weighted import pick


class Source(NamedTuple):
    """What the first page of a visit is asked for with: a referrer, and a query in its address.

    ``landing``: pages it leads to; empty: any that visitors begin with.
    """

    referrer: str = ""
    query: str = ""
    landing: tuple[str, ...] = ()


_NEWS = "utm_source=newsletter&utm_medium=email&utm_campaign=november-harvest"
_AD = "utm_source=google&utm_medium=cpc&utm_campaign=rye&gclid=Cj0KCQiA"

SOURCES = (
    (30, Source()),
    (24, Source("https://www.google.com/")),
    (4, Source("https://www.bing.com/")),
    (4, Source("https://duckduckgo.com/")),
    (1, Source("https://www.ecosia.org/")),
    (4, Source("https://chatgpt.com/", landing=("/blog/sourdough-starter", "/docs/flour-types"))),
    (2, Source("https://www.perplexity.ai/", landing=("/docs/flour-types", "/docs/storage"))),
    (1, Source("https://claude.ai/", landing=("/docs/hydration",))),
    (
        4,
        Source(
            "https://www.reddit.com/", landing=("/blog/sourdough-starter", "/blog/stone-milling")
        ),
    ),
    (3, Source("https://www.instagram.com/")),
    (3, Source("https://l.facebook.com/")),
    (2, Source("https://www.youtube.com/", landing=("/blog/stone-milling",))),
    (2, Source("https://news.ycombinator.com/", landing=("/blog/how-we-count",))),
    (1, Source("https://mastodon.social/", landing=("/blog/how-we-count",))),
    (6, Source("", _NEWS, ("/blog/november-harvest", "/shop"))),
    (4, Source("https://www.google.com/", _AD, ("/shop/rye-flour", "/shop"))),
    (3, Source("https://www.bread-lovers.example/best-mills")),
)


def pick_source(rng: Random) -> Source:
    """How one visit begins."""
    return pick(rng, SOURCES)
