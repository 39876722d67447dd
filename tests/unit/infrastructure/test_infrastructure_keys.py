"""`millrace keys`: made, rotated, kept elsewhere and brought back."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli
from infrastructure.local.folders import CHECKOUT
from infrastructure.verbs.keys import COST_OF_LOSS
from shared.keys import new_seal_key, new_signing_key, public_seal_key, read_private_keys

SIGNING, SEALING = new_signing_key(), new_seal_key()


@pytest.fixture
def keys_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed core: its signing key in the environment, its sealing keys in a file."""
    file = tmp_path / "seal-keys"
    file.write_text(SEALING)
    monkeypatch.setenv("MILLRACE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("MILLRACE_SIGNING_KEY", SIGNING)
    monkeypatch.setenv("MILLRACE_SEAL_KEYS_FILE", str(file))
    return file


def keys(*arguments: str | Path, given: str = "") -> Result:
    return CliRunner().invoke(cli, ["keys", *map(str, arguments)], input=given)


def test_new_keys_come_with_what_losing_them_costs_beside_the_settings() -> None:
    made = keys("new")
    names = [line.partition("=")[0] for line in made.stdout.splitlines()]
    assert names == [
        "MILLRACE_SIGNING_KEY",
        "MILLRACE_SEAL_KEYS",
        "MILLRACE_CORE_VERIFY_KEY",
        "MILLRACE_SEAL_PUBLIC_KEY",
    ]
    assert COST_OF_LOSS in made.stderr


def test_a_rotation_puts_a_fresh_key_first_and_keeps_the_old_one(keys_file: Path) -> None:
    assert keys("rotate").exit_code == 0
    first, second = keys_file.read_text().split()
    assert second == SEALING
    assert len(read_private_keys(keys_file.read_text())) == 2
    assert stat.S_IMODE(keys_file.stat().st_mode) == 0o600
    assert keys("public").stdout.splitlines()[1].endswith(public_seal_key(first))
    listed = keys("list").stdout.splitlines()
    assert listed == [
        f"{first.partition(':')[0]}  seals and opens",
        f"{second.partition(':')[0]}  opens",
    ]


def test_keys_in_the_environment_cannot_be_rotated_and_the_way_out_is_said(
    keys_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MILLRACE_SEAL_KEYS", SEALING)
    refused = keys("rotate")
    assert refused.exit_code == 1
    assert "MILLRACE_SEAL_KEYS_FILE" in refused.stderr
    assert keys_file.read_text() == SEALING


def test_a_backup_opens_with_its_passphrase_alone(keys_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    made = keys("backup", copy, "--passphrase-file", "-", given="long enough\n")
    assert made.exit_code == 0
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert SEALING not in copy.read_text()
    wrong = keys("restore", copy, "--passphrase-file", "-", given="another\n")
    assert wrong.exit_code == 1
    assert "passphrase" in wrong.stderr
    right = keys("restore", copy, "--passphrase-file", "-", given="long enough\n")
    assert right.stdout == f"MILLRACE_SIGNING_KEY={SIGNING}\nMILLRACE_SEAL_KEYS={SEALING}\n"


def test_a_backup_replaces_nothing(keys_file: Path) -> None:
    refused = keys("backup", keys_file, "--plain")
    assert refused.exit_code == 1
    assert "exists already" in refused.stderr
    assert keys_file.read_text() == SEALING


def test_a_plain_copy_says_that_it_is_plain(keys_file: Path) -> None:
    made = keys("backup", "-", "--plain")
    assert made.stdout == f"MILLRACE_SIGNING_KEY={SIGNING}\nMILLRACE_SEAL_KEYS={SEALING}\n"
    assert "not encrypted" in made.stderr


def test_a_backup_without_a_passphrase_or_a_terminal_is_refused(
    keys_file: Path, tmp_path: Path
) -> None:
    refused = keys("backup", tmp_path / "copy")
    assert refused.exit_code == 1
    assert "--passphrase-file" in refused.stderr
    assert not (tmp_path / "copy").exists()


def test_rotations_at_the_same_time_lose_none_of_the_keys_they_announce(keys_file: Path) -> None:
    command = [sys.executable, "-m", "infrastructure.cli", "keys", "rotate"]
    started = [
        subprocess.Popen(
            command,
            cwd=CHECKOUT,
            env={**os.environ, "PYTHONPATH": str(CHECKOUT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(8)
    ]
    told = [process.communicate(timeout=300) for process in started]
    assert [process.returncode for process in started] == [0] * 8, told
    kept = read_private_keys(keys_file.read_text())
    announced = {out.split("sealed to ")[1].split()[0] for out, _ in told}
    assert len(announced) == 8
    assert set(kept) == announced | {SEALING.partition(":")[0]}
    assert os.listdir(keys_file.parent) == [keys_file.name]


BINARY = b"\x00\xff\xfe" * 500


@pytest.mark.parametrize("held", [BINARY, b"", b"a shopping list\n", b"x" * 2_000_000])
def test_what_is_no_backup_is_said_to_be_none(tmp_path: Path, held: bytes) -> None:
    file = tmp_path / "file"
    file.write_bytes(held)
    refused = keys("restore", file)
    assert (refused.exit_code, refused.stdout) == (1, "")
    assert "no backup of keys" in refused.stderr


def test_an_endless_file_is_no_backup() -> None:
    for file in ("/dev/null", "/dev/zero", "/dev/urandom"):
        assert "no backup of keys" in keys("restore", file).stderr


def test_a_passphrase_that_is_no_text_is_refused(keys_file: Path, tmp_path: Path) -> None:
    binary, copy = tmp_path / "binary", tmp_path / "copy"
    binary.write_bytes(BINARY)
    refused = keys("backup", copy, "--passphrase-file", binary)
    assert refused.exit_code == 1
    assert "no passphrase" in refused.stderr
    assert not copy.exists()


def test_a_passphrase_file_of_another_system_opens_the_same_backup(
    keys_file: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy"
    assert keys("backup", copy, "--passphrase-file", "-", given="a\nb\n").exit_code == 0
    (tmp_path / "dos").write_bytes(b"a\r\nb\r\n")
    assert SEALING in keys("restore", copy, "--passphrase-file", tmp_path / "dos").stdout


@pytest.mark.parametrize("place", ["/nonexistent/x", "/proc/x", "/dev/full"])
def test_a_place_that_cannot_be_written_is_named(keys_file: Path, place: str) -> None:
    refused = keys("backup", place, "--plain")
    assert refused.exit_code == 1
    assert refused.stderr.splitlines()[-1].startswith(f"Error: {place} ")


@pytest.mark.parametrize("name", ["MILLRACE_SIGNING_KEY", "MILLRACE_SEAL_KEYS"])
@pytest.mark.parametrize("junk", ["junk", "a\udcff", "id:YWJj"])
def test_what_is_no_key_is_named(
    keys_file: Path, monkeypatch: pytest.MonkeyPatch, name: str, junk: str
) -> None:
    monkeypatch.setenv(name, junk)
    for verb in (["list"], ["public"], ["backup", "-", "--plain"]):
        refused = keys(*verb)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert name in refused.stderr


def test_a_file_that_holds_no_keys_is_not_rotated(keys_file: Path) -> None:
    keys_file.write_text("junk\n")
    refused = keys("rotate")
    assert refused.exit_code == 1
    assert "MILLRACE_SEAL_KEYS" in refused.stderr
    assert keys_file.read_text() == "junk\n"


def test_keys_that_cannot_be_read_are_named(keys_file: Path) -> None:
    for verb in (["rotate"], ["list"], ["public"], ["backup", "-", "--plain"]):
        keys_file.write_bytes(BINARY)
        assert str(keys_file) in keys(*verb).stderr
        keys_file.unlink()
        refused = keys(*verb)
        assert refused.exit_code == 1
        assert str(keys_file) in refused.stderr
