"""What there is to type: listed by who uses it, explained, and completed by the shell."""

import os
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner

from infrastructure.cli import VERBS, cli
from infrastructure.local.folders import CHECKOUT


def test_every_verb_is_listed_under_those_who_use_it() -> None:
    shown = CliRunner().invoke(cli, ["help"]).stdout
    titles = [line for line in shown.splitlines() if line in {f"{v.who}:" for v in VERBS.values()}]
    assert titles == ["Sites and people:", "Running it:", "Working on Millrace:"]
    assert [name for name in VERBS if f"\n  {name} " not in shown] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_can_be_loaded_and_explains_itself(verb: str) -> None:
    result = CliRunner().invoke(cli, [verb, "--help"])
    assert (result.exit_code, verb in result.stdout) == (0, True)


def test_help_of_a_verb_is_what_the_verb_itself_says() -> None:
    shown = CliRunner().invoke(cli, ["help", "ip", "explain"]).stdout
    assert "--peer" in shown
    assert shown.splitlines()[0].endswith("ip explain [OPTIONS]")


def test_the_version_is_that_of_the_checkout() -> None:
    with (CHECKOUT / "pyproject.toml").open("rb") as file:
        expected = tomllib.load(file)["project"]["version"]
    assert CliRunner().invoke(cli, ["--version"]).stdout == f"millrace {expected}\n"


@pytest.mark.parametrize(
    ("module", "slow"), [("infrastructure.cli", "click"), ("infrastructure.bootstrap", "venv")]
)
def test_ctrl_c_while_a_verb_is_being_imported_leaves_no_traceback(
    tmp_path: Path, module: str, slow: str
) -> None:
    press = "import os, signal, time; os.kill(os.getpid(), signal.SIGINT); time.sleep(20)\n"
    (tmp_path / f"{slow}.py").write_text(press)
    path = os.pathsep.join((str(tmp_path), str(CHECKOUT)))
    done = subprocess.run(
        [sys.executable, "-P", "-m", module, "status"],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


def test_a_mistyped_verb_gets_the_nearest_one_named() -> None:
    result = CliRunner().invoke(cli, ["statsu"])
    assert (result.exit_code, "Did you mean 'status'?" in result.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("sta", "status"),
        ("ip ", "explain"),
        ("ledger --j", "--json"),
        ("completion z", "zsh"),
    ],
)
def test_bash_completes_verbs_options_and_names(tmp_path: Path, words: str, expected: str) -> None:
    run = tmp_path / "run"
    python = f'exec "{sys.executable}" -P -m infrastructure.cli "$@"'
    run.write_text(f"#!/bin/sh\n{python}\n")
    run.chmod(0o755)
    last = len(words.split(" "))
    script = f"""
    eval "$(./run completion bash)"
    complete -p ./run >&2
    COMP_WORDS=(./run {words} {"''" if words.endswith(" ") else ""}); COMP_CWORD={last}
    _run_completion ./run
    echo "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PYTHONPATH": str(CHECKOUT)}
    ran = subprocess.run(
        ["bash", "-c", script],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "-F _run_completion ./run" in ran.stderr
    assert ran.stdout.split() == [expected]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_get_a_script_that_calls_the_program_of_the_checkout(shell: str) -> None:
    script = CliRunner().invoke(cli, ["completion", shell]).stdout
    assert f"_MILLRACE_COMPLETE={shell}_complete" in script
    assert "./run" in script
    assert "$+commands[" not in script
