"""How many events each of a site's exclusions takes out of the answers.

Read as goals are: an event counts under every exclusion that it matches, in one pass over all.
"""

from collections import Counter
from datetime import date, datetime

from api.query.panel import tabulate
from api.query.parse import parse
from api.query.ranges import Days
from api.query.reading import Reading
from api.query.saved import Saved, read_saved
from api.query.wire import Question
from api.sites import Site

_BY_NAME_AND_DAY = ["event:goal", "time:day"]


async def read_taken_out(
    reading: Reading, found: Site, days: Days, now: datetime
) -> Counter[tuple[str, date]]:
    """By the exclusion's name and the site's own day. Raises Refusal."""
    exclusions = (await read_saved(reading.snapshot.db, found.site_id)).exclusions
    if not exclusions:
        return Counter()
    ends = [days.first.isoformat(), days.last.isoformat()]
    question = Question(found.key, ["events"], ends, _BY_NAME_AND_DAY)
    query = parse(question, found.zone, now, None, Saved(goals=exclusions))
    table = await tabulate(reading, query, whole=True)
    taken_out: Counter[tuple[str, date]] = Counter()
    for row in table.rows:
        [name, day], [events] = row.dimensions, row.metrics
        assert isinstance(events, int)
        taken_out[str(name), date.fromisoformat(str(day))] += events
    return taken_out
