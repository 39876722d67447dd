"""Set-up happens once: environments, front ends and everything cached."""

import errno
import json
import os
import subprocess
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from api.page import DIST
from edge.http.script import BUILT
from infrastructure import bootstrap
from infrastructure.bootstrap import environment
from infrastructure.local import frontend, node
from infrastructure.local.cache import cached
from infrastructure.local.folders import CHECKOUT
from infrastructure.local.frontend import FRONT_ENDS, build_front_ends
from infrastructure.problem import Problem

_BUILD = "node -e \"const f=require('fs');f.mkdirSync('dist');f.copyFileSync('src/a','dist/a')\""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MILLRACE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def front_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "one" / "front"
    _make_front_end(folder)
    monkeypatch.setattr(frontend, "FRONT_ENDS", (folder,))
    return folder


def _make_front_end(folder: Path) -> None:
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "a").write_text("first")
    package = {"name": "front", "version": "1.0.0", "scripts": {"build": _BUILD}}
    (folder / "package.json").write_text(json.dumps(package))
    lock = {"name": "front", "version": "1.0.0", "lockfileVersion": 3, "packages": {"": package}}
    (folder / "package-lock.json").write_text(json.dumps(lock))


def _count_npm(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    ran: list[str] = []
    run = node.Node.run

    def counted(self: node.Node, title: str, arguments: list[str], folder: Path) -> None:
        ran.append(arguments[-1])
        run(self, title, arguments, folder)

    monkeypatch.setattr(node.Node, "run", counted)
    return ran


def test_services_look_for_what_is_built_where_it_is_built() -> None:
    assert {BUILT.parents[1], DIST.parent} == set(FRONT_ENDS)


def test_a_front_end_is_built_again_only_when_its_sources_change(
    front_end: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran = _count_npm(monkeypatch)
    build_front_ends()
    build_front_ends()
    assert ran.count("build") == 1
    assert (front_end / "dist" / "a").read_text() == "first"
    (front_end / "src" / "a").write_text("second")
    build_front_ends()
    assert (front_end / "dist" / "a").read_text() == "second"


def test_what_one_clone_has_built_another_only_copies(
    front_end: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    build_front_ends()
    clone = tmp_path / "two" / "front"
    _make_front_end(clone)
    monkeypatch.setattr(frontend, "FRONT_ENDS", (clone,))
    ran = _count_npm(monkeypatch)
    build_front_ends()
    assert ran == []
    assert (clone / "dist" / "a").read_text() == "first"


def test_a_build_that_fails_shows_the_end_of_its_output(front_end: Path) -> None:
    (front_end / "src" / "a").unlink()
    with pytest.raises(Problem, match="no such file"):
        build_front_ends()
    assert not (front_end / "dist" / "a").exists()


def test_two_runs_side_by_side_make_a_cached_thing_once() -> None:
    made: list[Path] = []

    def make(temporary: Path, _final: Path) -> None:
        made.append(temporary)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(lambda _: cached("thing", make), range(8)))
    assert len(made) == len(found) == 1


def test_an_environment_is_made_once_for_a_lock_file(tmp_path: Path) -> None:
    lock = tmp_path / "requirements.txt"
    lock.touch()
    python = environment(lock)
    stamp = python.parents[1] / "complete"
    before = stamp.stat().st_mtime_ns
    assert environment(lock) == python
    assert stamp.stat().st_mtime_ns == before
    lock.write_text("# another\n")
    assert bootstrap._key(lock) not in str(python)


def test_packages_that_cannot_be_fetched_say_what_to_check(tmp_path: Path, cache: Path) -> None:
    lock = tmp_path / "requirements.txt"
    missing = (tmp_path / "missing.whl").as_uri()
    lock.write_text(f"missing @ {missing} --hash=sha256:{'0' * 64}\n")
    with pytest.raises(Problem, match="check the network"):
        environment(lock)
    assert not list(cache.glob("python-*/complete"))


_NO_SPACE = b"ERROR: Could not install packages: [Errno 28] No space left on device\n"


@pytest.mark.parametrize(
    "error",
    [
        subprocess.CalledProcessError(1, ["python", "-m", "ensurepip"], output=_NO_SPACE),
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
    ],
)
def test_no_space_for_the_environment_is_said_without_the_command_that_met_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(venv.EnvBuilder, "create", fail)
    lock = tmp_path / "requirements.txt"
    lock.touch()
    with pytest.raises(Problem, match=r"^There is no space left for .*MILLRACE_CACHE") as problem:
        environment(lock)
    assert "Command" not in str(problem.value)


def test_an_environment_that_cannot_be_made_says_what_pip_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise subprocess.CalledProcessError(1, ["ensurepip"], output=b"first\nbroken wheel\n\n")

    monkeypatch.setattr(venv.EnvBuilder, "create", fail)
    lock = tmp_path / "requirements.txt"
    lock.touch()
    with pytest.raises(Problem, match=r"cannot be made \(broken wheel\)") as problem:
        environment(lock)
    assert "Command" not in str(problem.value)


@pytest.mark.parametrize(
    "name", ["requirements.txt", "requirements-bench.txt", "node-requirements.txt"]
)
def test_a_lock_pins_by_hash_and_names_no_registry(name: str) -> None:
    text = (CHECKOUT / "infrastructure" / name).read_text()
    assert "--hash=sha256:" in text
    assert "://" not in text


def test_the_bootstrap_needs_nothing_but_the_standard_library() -> None:
    ran = subprocess.run(
        ["/usr/bin/env", "python3", "-I", "-S", "-c", _IMPORT, str(CHECKOUT)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr


_IMPORT = "import sys; sys.path.insert(0, sys.argv[1]); import infrastructure.bootstrap"
