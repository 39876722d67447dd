"""The database brought to the shape this version expects."""

from pathlib import Path

from alembic import command
from alembic.config import Config

_FOLDER = Path(__file__).parent / "migrations"


def upgrade(postgres_url: str) -> None:
    """Apply every migration still missing. Safe to call from several processes at once.

    ``postgres_url``: a libpq URL (``postgresql://…``).
    """
    command.upgrade(alembic_config(postgres_url), "head")


def alembic_config(postgres_url: str) -> Config:
    """What Alembic needs to find the migrations and the database."""
    config = Config()
    config.set_main_option("script_location", str(_FOLDER))
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(postgres_url).replace("%", "%%"))
    return config


def sqlalchemy_url(postgres_url: str) -> str:
    """The same address, spoken to through psycopg 3."""
    scheme, _, rest = postgres_url.partition("://")
    if scheme not in ("postgresql", "postgres"):
        raise ValueError("the database's URL begins with postgresql://")
    return f"postgresql+psycopg://{rest}"
