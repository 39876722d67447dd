"""The steps from draft to row, in their order, and the runner that walks them."""

import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from shared.metrics import WRITER_STEP_SECONDS
from writer.decode import Unfit
from writer.draft import Draft, Dropped, SetAside
from writer.enrich.agent import read_agent
from writer.enrich.bot import Bots
from writer.enrich.campaign import read_campaign
from writer.enrich.exclusion import drop_excluded
from writer.enrich.language import read_language
from writer.enrich.money import read_money
from writer.enrich.page import read_page
from writer.enrich.place import Geo
from writer.enrich.props import read_props
from writer.enrich.retention import drop_expired
from writer.enrich.screen import read_screen
from writer.enrich.source import find_source
from writer.enrich.user import keep_user
from writer.enrich.visitor import add_visitor

log = logging.getLogger("writer")

FAILED = "enrichment_failed"


class Step(NamedTuple):
    """One step: writes one thing into each draft of a list, from what earlier steps found and
    nothing that it writes itself, so that it may be taken again. ``drops``: or leaves it out."""

    name: str
    apply: Callable[[Sequence[Draft]], None]
    drops: bool = False


class Left(NamedTuple):
    """A draft that a step dropped."""

    draft: Draft
    why: Dropped


class Enriched(NamedTuple):
    """What became of the drafts of a read."""

    drafts: list[Draft]
    dropped: list[Left]
    unfit: list[Unfit]


def steps(geo: Geo, bots: Bots) -> tuple[Step, ...]:
    """Every step, in order; a later one may use what an earlier one found."""
    return (
        Step("retention", drop_expired, drops=True),
        Step("exclusion", drop_excluded, drops=True),
        Step("bot", bots.mark),
        Step("place", geo.locate),
        Step("agent", read_agent),
        Step("page", read_page),
        Step("campaign", read_campaign),
        Step("source", find_source),
        Step("language", read_language),
        Step("screen", read_screen),
        Step("visitor", add_visitor),
        Step("money", read_money),
        Step("props", read_props),
        Step("user", keep_user),
    )


def enrich(drafts: Sequence[Draft], pipeline: Sequence[Step]) -> Enriched:
    """Walk the drafts through the steps; each stops at its first drop or failure."""
    done = Enriched(list(drafts), [], [])
    for step in pipeline:
        began = perf_counter()
        done = _walk(step, done)
        WRITER_STEP_SECONDS.labels(step.name).inc(perf_counter() - began)
    return done


def _walk(step: Step, before: Enriched) -> Enriched:
    drafts, dropped, unfit = before
    try:
        step.apply(drafts)
    except Exception:
        drafts = _walk_with_care(step, drafts, unfit)
    if step.drops:
        dropped += [Left(draft, draft.dropped) for draft in drafts if draft.dropped is not None]
        drafts = [draft for draft in drafts if draft.dropped is None]
    return Enriched(drafts, dropped, unfit)


def _walk_with_care(step: Step, drafts: list[Draft], unfit: list[Unfit]) -> list[Draft]:
    """The same event by event: whatever one does to the step, its neighbours go on."""
    kept: list[Draft] = []
    for draft in drafts:
        try:
            step.apply([draft])
        except Exception as error:
            # Not its message, which may quote the client.
            log.error("step %s failed on one event: %s", step.name, type(error).__name__)
            why = SetAside(FAILED, f"{step.name}: {type(error).__name__}")
            unfit.append(Unfit(draft.origin, why))
        else:
            kept.append(draft)
    return kept
