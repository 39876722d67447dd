"""The steps from draft to row, in their order, and the runner that walks them."""

import logging
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import NamedTuple

from shared.metrics import WRITER_STEP_SECONDS
from writer.decode import Unfit
from writer.draft import Draft, Dropped, SetAside
from writer.enrich.agent import read_agent
from writer.enrich.bot import mark_bot
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

Apply = Callable[[Draft], Draft | Dropped]
FAILED = "enrichment_failed"


class Step(NamedTuple):
    """One step: pure, from a draft to a changed copy or the reason why there is none."""

    name: str
    apply: Apply


class Left(NamedTuple):
    """A draft that a step dropped."""

    draft: Draft
    why: Dropped


class Enriched(NamedTuple):
    """What became of the drafts of a read."""

    drafts: list[Draft]
    dropped: list[Left]
    unfit: list[Unfit]


def steps(geo: Geo) -> tuple[Step, ...]:
    """Every step, in order; a later one may use what an earlier one found."""
    return (
        Step("retention", drop_expired),
        Step("exclusion", drop_excluded),
        Step("bot", mark_bot),
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
    """Walk every draft through the steps; each stops at its first drop or failure."""
    done = Enriched(list(drafts), [], [])
    for step in pipeline:
        began = perf_counter()
        done = _walk(step, done)
        WRITER_STEP_SECONDS.labels(step.name).inc(perf_counter() - began)
    return done


def _walk(step: Step, before: Enriched) -> Enriched:
    apply = step.apply
    try:
        changed = [apply(draft) for draft in before.drafts]
    except Exception:
        return _walk_with_care(step, before)
    kept = [draft for draft in changed if draft.__class__ is Draft]
    if len(kept) < len(changed):
        return _walk_with_care(step, before)
    return Enriched(kept, before.dropped, before.unfit)


def _walk_with_care(step: Step, before: Enriched) -> Enriched:
    """The same where a draft is dropped or fails: whatever one does, its neighbours go on."""
    kept: list[Draft] = []
    for draft in before.drafts:
        try:
            changed = step.apply(draft)
        except Exception as error:
            # Not its message, which may quote the client.
            log.error("step %s failed on one event: %s", step.name, type(error).__name__)
            why = SetAside(FAILED, f"{step.name}: {type(error).__name__}")
            before.unfit.append(Unfit(draft.origin, why))
            continue
        if isinstance(changed, Dropped):
            before.dropped.append(Left(draft, changed))
        else:
            kept.append(changed)
    return Enriched(kept, before.dropped, before.unfit)
