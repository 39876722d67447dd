"""``panels_vs_chdb``: twelve panels over HTTP ÷ the same by chDB on the same rows."""

from tests.benchmarks.context import Context
from tests.benchmarks.engine_chdb import DIALECT
from tests.benchmarks.figure import Figure
from tests.benchmarks.panels_bench import compare


def run(context: Context) -> list[Figure]:
    """The batch; one by one; and against one scan shared by all panels."""
    return compare(context, "panels_vs_chdb", context.chdb, DIALECT, filtered=False)
