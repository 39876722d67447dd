"""The database brought to the shape that this version of Millrace expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config

_MIGRATIONS = Path(__file__).resolve().parents[1] / "writer" / "migrations"


def migrate(postgres_url: str) -> None:
    """Apply every migration that the database does not have yet; none is applied twice.

    Writer's `env.py` finds the address as Alembic's own `sqlalchemy.url`.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    url = postgres_url.replace("postgresql://", "postgresql+psycopg://", 1)
    config.set_main_option("sqlalchemy.url", url.replace("%", "%%"))
    if (_MIGRATIONS / "env.py").exists():
        command.upgrade(config, "head")
