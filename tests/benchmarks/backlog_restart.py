"""`backlog_restart_s`: from the start of an edge to its first 202, on a spool that holds a million
events; what drain and writer then take, in seconds and in memory, is the detail."""

from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.product import make_product
from infrastructure.manifest import read_manifest
from tests.backlog_world import Backlog
from tests.benchmarks.context import Context
from tests.benchmarks.figure import Figure

EVENTS = 1_000_000
STARTS = 5


def run(context: Context) -> list[Figure]:
    """Seconds; the first start also meets a spool that has just been loaded."""
    installation = new_installation(chosen_ports(read_manifest()))
    changes = {"MILLRACE_GEO_REFRESH": "false"}
    folder = context.folder / "product"
    folder.mkdir()
    with make_product(folder, installation, context.stack, changes=changes) as product:
        backlog = Backlog(product, EVENTS)
        backlog.put()
        starts = []
        for _ in range(STARTS - 1):
            starts.append(backlog.seconds_until_accepting())
            product.services["edge"].stop()
        found = backlog.restart()
        starts = sorted([*starts, found.accepting_s])
        stored, sent = backlog.stored(), EVENTS + backlog.accepted
    if stored != sent:
        raise RuntimeError(f"{sent} events acknowledged, {stored} stored")
    detail = {"events": stored} | {name: round(n, 1) for name, n in found._asdict().items()}
    context.say(f"  {detail}")
    return [Figure("backlog_restart_s", starts[STARTS // 2], starts[0], starts[-1], "s", detail)]
