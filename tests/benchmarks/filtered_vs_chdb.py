"""``filtered_vs_chdb``: twelve panels with two filters, a country of a tenth and a browser
of six tenths, ÷ the same by chDB on the same rows."""

from tests.benchmarks.context import Context
from tests.benchmarks.engine_chdb import DIALECT
from tests.benchmarks.figure import Figure
from tests.benchmarks.panels_bench import compare


def run(context: Context) -> list[Figure]:
    """The batch; one by one; and against one scan shared by all panels."""
    return compare(context, "filtered_vs_chdb", context.chdb, DIALECT, filtered=True)
