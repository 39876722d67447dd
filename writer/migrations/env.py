"""How Alembic reaches the database; the address is its own ``sqlalchemy.url``.

A session-level advisory lock lets two processes start at once: the second finds nothing to do.
"""

from alembic import context
from sqlalchemy import Connection, create_engine, pool, text

from writer.database.locks import Lock
from writer.tables import metadata

_LOCK = {"lock": Lock.MIGRATIONS.value}


def _migrate(connection: Connection) -> None:
    connection.execute(text("select pg_advisory_lock(:lock)"), _LOCK)
    connection.commit()
    try:
        context.configure(connection=connection, target_metadata=metadata)
        with context.begin_transaction():
            context.run_migrations()
    finally:
        connection.rollback()
        connection.execute(text("select pg_advisory_unlock(:lock)"), _LOCK)
        connection.commit()


def _run() -> None:
    url = context.config.get_main_option("sqlalchemy.url")
    if url is None:
        raise RuntimeError("no sqlalchemy.url given")
    engine = create_engine(url, poolclass=pool.NullPool)
    with engine.connect() as connection:
        _migrate(connection)


_run()
