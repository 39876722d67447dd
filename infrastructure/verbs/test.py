"""`./run test`: everything the tests need, then pytest."""

import subprocess
import sys
from pathlib import Path

import click

from infrastructure.local.chromium import chromium_path
from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.server_programs import prepare_servers


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def command(arguments: tuple[str, ...]) -> None:
    """Run every test, or those of some paths; any option of pytest works."""
    prepare_servers()
    build_front_ends()
    if _needs_browser(arguments):
        chromium_path()
    paths = [_absolute(argument) for argument in arguments]
    ran = subprocess.run([sys.executable, "-P", "-m", "pytest", *paths], cwd=CHECKOUT, check=False)
    sys.exit(ran.returncode)


def _needs_browser(arguments: tuple[str, ...]) -> bool:
    paths = [argument for argument in arguments if not argument.startswith("-")]
    return not paths or any("browser" in path for path in paths)


def _absolute(argument: str) -> str:
    """A path means the same, although pytest runs at the root of the checkout."""
    path, separator, name = argument.partition("::")
    return f"{Path(path).absolute()}{separator}{name}" if Path(path).exists() else argument
