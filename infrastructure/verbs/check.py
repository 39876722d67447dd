"""`./run check`: what a machine can say about the code, in one command."""

import subprocess
import sys
from pathlib import Path

import click

from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import check_front_ends
from infrastructure.problem import Problem
from infrastructure.progress import console, step

_TOOLS = {
    "ruff check": ("ruff", "check", "."),
    "ruff format": ("ruff", "format", "--check", "."),
    "mypy": ("mypy",),
    "import contracts": ("lint-imports",),
    "dead code": ("vulture",),
}


@click.command()
def command() -> None:
    """Lint, formatting, strict types, import contracts and dead code, of both languages."""
    failed = [title for title, tool in _TOOLS.items() if not _passes(title, tool)]
    try:
        check_front_ends()
    except Problem as problem:
        console.print(str(problem), markup=False)
        failed.append("front ends")
    if failed:
        raise Problem(f"Not in order: {', '.join(failed)}.")


def _passes(title: str, tool: tuple[str, ...]) -> bool:
    program, *arguments = tool
    with step(title):
        ran = subprocess.run(
            [Path(sys.executable).with_name(program), *arguments],
            cwd=CHECKOUT,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    if ran.returncode:
        console.print(ran.stdout, markup=False)
    return ran.returncode == 0
