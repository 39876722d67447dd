"""What the wheel installs: an edge alone, with neither a database driver nor SQLAlchemy."""

import json
import os
import shutil
import subprocess
import sys
import time
import urllib.request
import venv
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner

from infrastructure.bootstrap import LOCK
from infrastructure.cli import cli
from infrastructure.local.child import Child
from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import build_front_ends
from infrastructure.local.installation import chosen_ports, new_installation
from infrastructure.local.stack import LocalStack
from infrastructure.manifest import read_manifest

_DRIVERS = ("sqlalchemy", "psycopg", "alembic", "rq")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    build_front_ends()
    folder = tmp_path_factory.mktemp("wheel")
    built = _build(CHECKOUT, folder)
    assert built.returncode == 0, built.stdout + built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def edge_python(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with `millrace[edge]` and nothing else."""
    folder = tmp_path_factory.mktemp("edge")
    venv.EnvBuilder(with_pip=True, symlinks=True).create(folder)
    python = folder / "bin" / "python"
    constraints = folder / "constraints.txt"
    constraints.write_text(_without_hashes(LOCK.read_text()))
    install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    installed = subprocess.run(
        [*install, "--constraint", str(constraints), f"millrace[edge] @ {wheel.as_uri()}"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert installed.returncode == 0, installed.stderr
    return python


def test_the_wheel_carries_the_built_tracker_and_pages_and_no_sources_of_theirs(
    wheel: Path,
) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert any(name.startswith("edge/tracker/dist/") and name.endswith(".js") for name in names)
    assert "api/dashboard/dist/index.html" in names
    assert not [name for name in names if "node_modules" in name or name.endswith(".ts")]
    assert not [name for name in names if name.startswith("tests/")]
    assert [name for name in names if "favicon" in name] == ["api/dashboard/dist/favicon.svg"]


def test_without_the_built_tracker_and_pages_there_is_no_wheel_but_one_sentence(
    tmp_path: Path,
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(CHECKOUT, clone, ignore=shutil.ignore_patterns("dist", "node_modules", ".git"))
    ran = _build(clone, tmp_path / "out")
    assert ran.returncode != 0
    assert not list(tmp_path.glob("out/*.whl"))
    assert "edge/tracker and api/dashboard. Run `./run wheel`" in ran.stdout + ran.stderr
    assert "Traceback" not in ran.stdout + ran.stderr


def test_a_tracker_that_has_changed_since_it_was_built_is_not_packed(
    wheel: Path, tmp_path: Path
) -> None:
    clone = tmp_path / "clone"
    shutil.copytree(CHECKOUT, clone, ignore=shutil.ignore_patterns("node_modules", ".git"))
    (clone / "edge/tracker/src/settings.ts").write_text("changed")
    ran = _build(clone, tmp_path / "out")
    assert (ran.returncode == 0, "sources: edge/tracker. Run" in ran.stdout + ran.stderr) == (
        False,
        True,
    )


def test_the_wheel_verb_prints_where_the_wheel_is(wheel: Path, tmp_path: Path) -> None:
    ran = CliRunner().invoke(cli, ["wheel", "--outdir", str(tmp_path)])
    assert ran.exit_code == 0, ran.output
    (made,) = tmp_path.glob("*.whl")
    assert ran.stdout.strip() == str(made)
    assert zipfile.ZipFile(made).namelist() == zipfile.ZipFile(wheel).namelist()


@pytest.mark.parametrize("driver", _DRIVERS)
def test_the_edge_extra_brings_no_database_driver(edge_python: Path, driver: str) -> None:
    ran = subprocess.run(
        [edge_python, "-c", f"import {driver}"], capture_output=True, check=False, cwd="/"
    )
    assert ran.returncode != 0


def test_the_edge_starts_from_the_edge_extra_alone(
    edge_python: Path, stack: LocalStack, tmp_path: Path
) -> None:
    settings = _edge_settings(stack, tmp_path)
    health = f"http://127.0.0.1:{settings['MILLRACE_EDGE_OPS_PORT']}/healthz"
    command = [str(edge_python), "-P", "-m", "edge"]
    child = Child(command, tmp_path / "log", environment=settings, folder=tmp_path)
    try:
        assert _first_answer(health, child) == 200
    finally:
        assert child.stop() == 0


def test_an_edge_alone_is_asked_for_its_status(
    edge_python: Path, stack: LocalStack, tmp_path: Path
) -> None:
    ran = subprocess.run(
        [edge_python.with_name("millrace"), "status", "--json"],
        env=_edge_settings(stack, tmp_path),
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    (place,) = json.loads(ran.stdout)["places"]
    assert (ran.returncode, place["where"]) == (1, "installed")
    assert [(each["name"], each["trouble"]) for each in place["servers"]] == [
        ("primary", ""),
        ("spool", ""),
    ]
    steps = [(finding["about"], finding["next"]) for finding in place["findings"]]
    assert steps == [
        ("edge", "start it: python -m edge"),
        ("drain", "start it: python -m edge.drain"),
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("help", "Running it:"),
        ("settings spool_url", "local append-only Redis"),
        ("settings --markdown", "## Edge and drain"),
        ("ip explain --peer 10.0.0.1 --trusted 10.0.0.0/8", "The client is 10.0.0.1."),
        ("completion bash", "_millrace_completion"),
    ],
)
def test_an_operators_verbs_work_on_an_edge_alone(edge_python: Path, words: str, said: str) -> None:
    ran = subprocess.run(
        [edge_python.with_name("millrace"), *words.split(" ")],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        env=_without_the_checkout(),
    )
    assert ran.returncode == 0, ran.stderr
    assert said in ran.stdout


def test_a_core_verb_on_an_edge_says_what_to_install(edge_python: Path) -> None:
    ran = subprocess.run(
        [edge_python.with_name("millrace"), "migrate"],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
    )
    assert ran.returncode == 1
    assert "install millrace[core]" in ran.stderr


def _build(source: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder)]
    return subprocess.run([*command, str(source)], capture_output=True, text=True, check=False)


def _edge_settings(stack: LocalStack, folder: Path) -> dict[str, str]:
    manifest = read_manifest()
    entry = next(each for each in manifest.services if each.name == "edge")
    settings = {
        **new_installation(chosen_ports(manifest)).settings(),
        "MILLRACE_PRIMARY_URL": stack.primary_url,
        "MILLRACE_SPOOL_URL": stack.spool_url,
        "MILLRACE_EDGE_STATE_DIR": str(folder / "edge"),
    }
    return {name: value for name, value in settings.items() if name in entry.reads}


def _first_answer(url: str, child: Child) -> int:
    while child.running:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                return int(answer.status)
        except OSError:
            time.sleep(0.05)
    raise AssertionError(child.log.read_text())


def _without_hashes(lock: str) -> str:
    """The pinned versions; a wheel built just now has no hash that a lock could know."""
    return "\n".join(line.rstrip(" \\") for line in lock.splitlines() if line[:1].isalnum())


def _without_the_checkout() -> dict[str, str]:
    """`./run test` puts the checkout on Python's path, where it would stand before the wheel."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
