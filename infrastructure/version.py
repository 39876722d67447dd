"""Which version of Millrace this is: a checkout's as its pyproject says, else what is installed."""

import tomllib
from importlib.metadata import version as installed_version

from infrastructure.local.folders import CHECKOUT
from shared.program import IN_CHECKOUT


def version() -> str:
    """Such as 0.1.0."""
    if not IN_CHECKOUT:
        return installed_version("millrace")
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        return str(tomllib.load(file)["project"]["version"])
