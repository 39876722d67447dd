"""The made-up site: a mill that sells flour, writes about bread and explains itself."""

from collections.abc import Mapping
from random import Random
from typing import NamedTuple

from infrastructure.traffic.weighted import pick


class Page(NamedTuple):
    """``entry``: how many visits begin here. ``next``: where people go on to, by weight."""

    title: str
    entry: float
    next: tuple[tuple[float, str], ...]


_SHELF = (
    (3, "/shop/rye-flour"),
    (4, "/shop/wheat-flour"),
    (2, "/shop/spelt-flour"),
    (1, "/shop/hand-mill"),
)
_BUY = ((3, "/cart"), (3, "/shop"), (1, "/docs/flour-types"))
_READ_ON = ((3, "/blog"), (2, "/shop"), (1, "/"))

PAGES: Mapping[str, Page] = {
    "/": Page(
        "The mill on the race", 30, ((5, "/shop"), (3, "/blog"), (1, "/docs"), (1, "/about"))
    ),
    "/shop": Page("Shop", 12, _SHELF),
    "/shop/rye-flour": Page("Rye flour, stone-milled", 6, _BUY),
    "/shop/wheat-flour": Page("Wheat flour, stone-milled", 7, _BUY),
    "/shop/spelt-flour": Page("Spelt flour", 3, _BUY),
    "/shop/hand-mill": Page("A mill for your kitchen", 4, _BUY),
    "/cart": Page("Your basket", 0, ((6, "/checkout"), (3, "/shop"))),
    "/checkout": Page("Checkout", 0, ((7, "/thanks"), (1, "/cart"))),
    "/thanks": Page("Thank you", 0, ((1, "/"), (1, "/blog"))),
    "/blog": Page(
        "From the mill",
        6,
        (
            (3, "/blog/sourdough-starter"),
            (2, "/blog/stone-milling"),
            (2, "/blog/november-harvest"),
            (1, "/blog/how-we-count"),
        ),
    ),
    "/blog/sourdough-starter": Page("A starter in five days", 16, _READ_ON),
    "/blog/stone-milling": Page("What a stone does that steel does not", 6, _READ_ON),
    "/blog/november-harvest": Page("The November harvest", 3, _READ_ON),
    "/blog/how-we-count": Page("How we count our visitors", 2, _READ_ON),
    "/docs": Page(
        "Know your flour",
        2,
        ((2, "/docs/flour-types"), (1, "/docs/hydration"), (1, "/docs/storage")),
    ),
    "/docs/flour-types": Page(
        "Types of flour", 8, ((2, "/shop"), (2, "/docs/hydration"), (1, "/docs/storage"))
    ),
    "/docs/hydration": Page("How much water", 4, ((2, "/shop"), (1, "/docs/flour-types"))),
    "/docs/storage": Page("Keeping flour", 3, ((2, "/shop"), (1, "/docs"))),
    "/about": Page("The people here", 2, ((1, "/"), (1, "/contact"))),
    "/contact": Page("Write to us", 1, ((1, "/"),)),
}

PRICES = {"rye-flour": 4.9, "wheat-flour": 4.2, "spelt-flour": 5.6, "hand-mill": 289.0}


def pick_entry(rng: Random) -> str:
    """The page that a visit begins with."""
    return pick(rng, [(page.entry, path) for path, page in PAGES.items()])


def pick_next(rng: Random, path: str) -> str:
    """The page that somebody goes on to from `path`."""
    return pick(rng, PAGES[path].next)
