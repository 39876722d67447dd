"""The API. The table below is its contents page."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware

from api.arrivals import Arrivals
from api.attempts import Attempts
from api.bot_patterns import BotPattern, Verdict
from api.call import Parts, Throttles
from api.database import open_pool
from api.endpoint import Endpoint
from api.endpoints.arrivals import show_arrivals
from api.endpoints.bots import (
    NewPattern,
    Sender,
    ShownPatterns,
    add_bot,
    add_site_bot,
    end_bot,
    end_site_bot,
    list_bots,
    list_site_bots,
    try_bot,
    try_site_bot,
)
from api.endpoints.completeness import ShownCompleteness, show_completeness
from api.endpoints.description import describe_api
from api.endpoints.edges import NewEdge, ShownEdges, add_edge, list_edges, retire
from api.endpoints.keys import MadeKey, NewKey, ShownKeys, add_key, drop_key, list_keys
from api.endpoints.live import Ticket, TicketFor, make_ticket
from api.endpoints.metrics import (
    Pageviews,
    TopPages,
    UniqueUsers,
    show_pageviews,
    show_top_pages,
    show_unique_users,
)
from api.endpoints.not_counted import answer_not_counted
from api.endpoints.owners import (
    NewOwner,
    NewPassword,
    ShownOwners,
    add_owner,
    change_password,
    list_owners,
)
from api.endpoints.query import answer_batch, answer_query
from api.endpoints.saved import (
    ChangedSaved,
    NewSaved,
    Served,
    ShownSaved,
    exclusions,
    goals,
    segments,
)
from api.endpoints.session import (
    LinkToken,
    SignedIn,
    SignIn,
    show_session,
    sign_in,
    sign_in_by_link,
    sign_out,
)
from api.endpoints.sites import (
    LookedAtSite,
    NewSite,
    ShownSite,
    ShownSites,
    add_site,
    change_site,
    list_sites,
    show_site,
)
from api.endpoints.trace import trace_event
from api.not_counted import NotCounted, NotCountedQuestion
from api.owners import Checker
from api.page import DIST, SecurityHeaders, not_found, page_routes
from api.query.archive import Archive
from api.query.wire import Answer, Batch, BatchAnswers, Question
from api.refusals import HANDLERS
from api.saved import Saved
from api.simple import ASKS
from api.trace import Trace
from api.turns import Turns
from shared.clock import Clock, system_clock
from shared.errors import Code
from shared.settings import ApiSettings
from shared.snapshot import SCOPES

KEPT_FREE = 2
"""Connections that no query takes: for who is asking, and for all that is no query."""

_QUERY, _ADMIN = SCOPES.QUERY, SCOPES.ADMIN


def _saved(noun: str, served: Served) -> tuple[Endpoint, ...]:
    """Of goals, segments and exclusions."""
    all_of_them = f"/api/sites/{{key}}/{noun}s"
    one = all_of_them + "/{id}"
    return (
        Endpoint("GET", all_of_them, served.list, f"A site's {noun}s", _QUERY, gives=ShownSaved),
        Endpoint("POST", all_of_them, served.add, f"Save a {noun}", _ADMIN, NewSaved, Saved, 201),
        Endpoint("PATCH", one, served.change, f"Change a {noun}", _ADMIN, ChangedSaved, Saved),
        Endpoint("DELETE", one, served.drop, f"Remove a {noun}", _ADMIN),
    )


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint("POST", "/api/session", sign_in, "Sign in", None, SignIn, SignedIn),
    Endpoint(
        "POST", "/api/session/link", sign_in_by_link, "Sign in by a link that works once", None,
        LinkToken, SignedIn,
    ),
    Endpoint("GET", "/api/session", show_session, "Who is signed in", None, gives=SignedIn),
    Endpoint("DELETE", "/api/session", sign_out, "Sign out", None),
    Endpoint("GET", "/api/owners", list_owners, "Every owner", _ADMIN, gives=ShownOwners),
    Endpoint("POST", "/api/owners", add_owner, "Add an owner", _ADMIN, NewOwner, ShownOwners, 201),
    Endpoint(
        "POST", "/api/owners/password", change_password, "Set a new password", _ADMIN,
        NewPassword, SignedIn,
    ),
    Endpoint("GET", "/api/sites", list_sites, "Every site", _QUERY, gives=ShownSites),
    Endpoint("POST", "/api/sites", add_site, "Add a site", _ADMIN, NewSite, ShownSite, 201),
    Endpoint("GET", "/api/sites/{key}", show_site, "One site", _QUERY, gives=LookedAtSite),
    Endpoint(
        "PATCH", "/api/sites/{key}", change_site, "Change settings", _ADMIN,
        dict[str, Any], ShownSite,
    ),
    Endpoint(
        "GET", "/api/sites/{key}/arrivals", show_arrivals, "What arrives for a site", _QUERY,
        gives=Arrivals,
    ),
    *_saved("goal", goals),
    *_saved("segment", segments),
    *_saved("exclusion", exclusions),
    Endpoint(
        "GET", "/api/sites/{key}/bots", list_site_bots, "A site's patterns of robots", _QUERY,
        gives=ShownPatterns,
    ),
    Endpoint(
        "POST", "/api/sites/{key}/bots", add_site_bot, "Call robots by name for a site", _ADMIN,
        NewPattern, BotPattern, 201,
    ),
    Endpoint(
        "POST", "/api/sites/{key}/bots/try", try_site_bot, "Whether it would be a robot", _QUERY,
        Sender, Verdict,
    ),
    Endpoint(
        "DELETE", "/api/sites/{key}/bots/{id}", end_site_bot, "End a site's pattern", _ADMIN
    ),
    Endpoint(
        "GET", "/api/bots", list_bots, "Every site's patterns of robots", _QUERY,
        gives=ShownPatterns,
    ),
    Endpoint(
        "POST", "/api/bots", add_bot, "Call robots by name for every site", _ADMIN,
        NewPattern, BotPattern, 201,
    ),
    Endpoint(
        "POST", "/api/bots/try", try_bot, "Whether it would be a robot anywhere", _QUERY,
        Sender, Verdict,
    ),
    Endpoint("DELETE", "/api/bots/{id}", end_bot, "End a pattern for every site", _ADMIN),
    Endpoint("GET", "/api/keys", list_keys, "Every API key", _ADMIN, gives=ShownKeys),
    Endpoint("POST", "/api/keys", add_key, "Make an API key", _ADMIN, NewKey, MadeKey, 201),
    Endpoint("DELETE", "/api/keys/{key_id}", drop_key, "Revoke an API key", _ADMIN),
    Endpoint("GET", "/api/edges", list_edges, "Every edge", _ADMIN, gives=ShownEdges),
    Endpoint(
        "POST", "/api/edges", add_edge, "Register an edge", _ADMIN, NewEdge, ShownEdges, 201
    ),
    Endpoint(
        "POST", "/api/edges/{edge}/retire", retire, "Wait for an edge no longer", _ADMIN,
        gives=ShownEdges,
    ),
    Endpoint(
        "POST", "/api/live/ticket", make_ticket, "A ticket for the live gateway", _QUERY,
        TicketFor, Ticket,
    ),
    Endpoint(
        "POST", "/api/v2/query", answer_query, "Ask for numbers", _QUERY, Question, Answer,
        fault=Code.BAD_QUERY,
    ),
    Endpoint(
        "POST", "/api/v2/query/batch", answer_batch, "Ask for many numbers as of one commit",
        _QUERY, Batch, BatchAnswers, fault=Code.BAD_QUERY,
    ),
    Endpoint(
        "POST", "/api/v2/query/not-counted", answer_not_counted, "What is in no number, and why",
        _QUERY, NotCountedQuestion, NotCounted, fault=Code.BAD_QUERY,
    ),
    Endpoint(
        "GET", "/v1/metrics/pageviews", show_pageviews, "Pageviews by day", _QUERY,
        gives=Pageviews, asks=ASKS,
    ),
    Endpoint(
        "GET", "/v1/metrics/unique-users", show_unique_users, "Visitors by day", _QUERY,
        gives=UniqueUsers, asks=ASKS,
    ),
    Endpoint(
        "GET", "/v1/metrics/top-pages", show_top_pages, "The pages looked at most", _QUERY,
        gives=TopPages, asks=ASKS,
    ),
    Endpoint(
        "GET", "/api/v2/trace/{receipt}", trace_event, "Where one event is", _QUERY, gives=Trace
    ),
    Endpoint(
        "GET", "/api/v2/completeness", show_completeness, "Up to when the numbers are final",
        _QUERY, gives=ShownCompleteness, asks=("site_id",),
    ),
    Endpoint("GET", "/api/openapi.json", describe_api, "This description", None),
)  # fmt: skip


def make_app(settings: ApiSettings, clock: Clock = system_clock, dist: Path = DIST) -> Starlette:
    """The application; its lifespan opens the connections."""

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        archive = Archive(
            settings.archive_folder, settings.api_archive_memory_mb, settings.api_archive_threads
        )
        async with open_pool(settings.postgres_url, settings.api_connections) as pool:
            turns = Turns(settings.api_connections - KEPT_FREE)
            app.state.parts = Parts(
                settings, pool, clock, Checker(), _throttles(clock), turns, archive
            )
            yield
        archive.close()

    app = Starlette(
        routes=[*(endpoint.route() for endpoint in ENDPOINTS), *page_routes(dist)],
        middleware=[Middleware(SecurityHeaders, settings.live_url)],
        exception_handlers={**HANDLERS, 404: not_found(dist)},
        lifespan=lifespan,
    )
    app.state.endpoints = ENDPOINTS
    return app


def _throttles(clock: Clock) -> Throttles:
    """Failures in five minutes: enough for somebody who mistypes, too few to guess."""
    return Throttles(
        both=Attempts(5, 300, clock),
        email=Attempts(50, 300, clock),
        address=Attempts(30, 300, clock),
    )
