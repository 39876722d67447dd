"""``panels_vs_duckdb``: twelve panels over HTTP ÷ the same by DuckDB on the same rows."""

from tests.benchmarks.context import Context
from tests.benchmarks.engine_duckdb import DIALECT
from tests.benchmarks.figure import Figure
from tests.benchmarks.panels_bench import compare


def run(context: Context) -> list[Figure]:
    """The batch; one by one; and against one scan shared by all panels."""
    return compare(context, "panels_vs_duckdb", context.duckdb, DIALECT, filtered=False)
