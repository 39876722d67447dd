"""Which servers are used where this machine has no programs for them, and what Docker is told.

No Docker daemon is needed: a program named `docker` writes down what it was asked. That containers
come up is said to be untried in servers.yaml.
"""

import shlex
from collections.abc import Callable
from pathlib import Path

import pytest

from infrastructure.local import server_programs as programs
from infrastructure.local.docker_servers import DockerServer, has_docker
from infrastructure.local.server import POSTGRES_SETTING, GivenServer
from infrastructure.local.stack import fresh_plan, local_stack
from infrastructure.problem import Problem

MakeDocker = Callable[[str], Path]


@pytest.fixture
def make_docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeDocker:
    """Puts a `docker` on PATH that runs `body` after noting its arguments and ports."""
    asked = tmp_path / "asked"
    asked.touch()

    def make(body: str) -> Path:
        program = tmp_path / "bin" / "docker"
        program.parent.mkdir()
        note = f'echo "$PRIMARY_PORT $*" >> {shlex.quote(str(asked))}'
        program.write_text(f"#!/bin/sh\n{note}\n{body}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:/usr/bin:/bin")
        return asked

    return make


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without server programs and without Debian's tools."""
    monkeypatch.setattr(programs, "has_debian_tools", lambda: False)
    monkeypatch.setattr(programs, "machine_postgres", lambda: None)
    monkeypatch.setattr(programs, "machine_redis", lambda: None)


@pytest.mark.usefixtures("bare")
def test_a_machine_with_nothing_but_docker_gets_its_servers_in_containers(
    make_docker: MakeDocker, tmp_path: Path
) -> None:
    asked, plan = make_docker("exit 0"), fresh_plan()
    programs.prepare_servers({})
    with local_stack(tmp_path / "stack", plan, {}) as stack:
        assert (
            stack.primary_url == f"redis://:{plan.redis_password}@127.0.0.1:{plan.primary_port}/0"
        )
        stack.primary.pause()
        stack.primary.resume()
        stack.primary.kill()
        assert stack.start_ended() == ["primary"]
    lines = asked.read_text().splitlines()
    assert any("pull --quiet --policy missing" in line for line in lines)
    mine = [line.split() for line in lines if line.startswith(f"{plan.primary_port} ")]
    done = [" ".join(words[words.index("--project-name") + 2 :]) for words in mine]
    up = "up --detach --wait --quiet-pull"
    assert done == [
        *(f"{up} {name}" for name in ("postgres", "primary", "spool")),
        *(f"{verb} primary" for verb in ("pause", "unpause", "kill", up)),
        *(f"stop {name}" for name in ("primary", "spool", "postgres")),
    ]


@pytest.mark.usefixtures("bare")
def test_two_installations_share_no_container_and_an_anew_made_one_takes_no_old_volume(
    make_docker: MakeDocker, tmp_path: Path
) -> None:
    asked = make_docker("exit 0")
    for folder in ("demo", "up", "up"):
        with local_stack(tmp_path / folder, fresh_plan(), {}):
            pass
    lines = [line.split() for line in asked.read_text().splitlines() if "--project-name" in line]
    assert len({words[words.index("--project-name") + 1] for words in lines}) == 3


@pytest.mark.usefixtures("bare")
def test_a_server_that_is_given_is_used_beside_containers(
    make_docker: MakeDocker, tmp_path: Path
) -> None:
    make_docker("exit 0")
    stack = local_stack(tmp_path, fresh_plan(), {POSTGRES_SETTING: "postgresql://elsewhere/x"})
    assert isinstance(stack.postgres, GivenServer)
    assert isinstance(stack.spool, DockerServer)


@pytest.mark.usefixtures("bare")
def test_a_docker_whose_daemon_does_not_answer_is_not_used_and_the_file_is_named(
    make_docker: MakeDocker,
) -> None:
    make_docker('[ "$1" != info ]')
    assert not has_docker()
    with pytest.raises(Problem, match=r"no Docker that answers.*compose/servers\.yaml"):
        programs.prepare_servers({})


@pytest.mark.usefixtures("bare")
def test_what_docker_refuses_is_said_in_one_sentence_with_the_way_out(
    make_docker: MakeDocker,
) -> None:
    make_docker('[ "$1" = info ] || [ "$2" = version ] || { echo "no such image" >&2; exit 1; }')
    with pytest.raises(Problem, match=r"\(no such image\).*compose/servers\.yaml by hand"):
        programs.prepare_servers({})


def test_where_debian_can_be_asked_docker_is_not(make_docker: MakeDocker) -> None:
    asked = make_docker("exit 0")
    assert not programs.needs_docker()
    assert asked.read_text() == ""
