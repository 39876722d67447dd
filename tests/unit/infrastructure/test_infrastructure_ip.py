"""`ip explain` says which address the edge believes, by the edge's own reading, and why."""

import json

import pytest
from click.testing import CliRunner, Result

from infrastructure.cli import cli

PROXY, VISITOR = "10.0.0.1", "93.184.216.34"


@pytest.fixture(autouse=True)
def no_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_EDGE_TRUSTED_PROXIES", "")


def _explain(*arguments: str, trusted: str = "10.0.0.0/8", peer: str = PROXY) -> Result:
    return CliRunner().invoke(
        cli, ["ip", "explain", "--peer", peer, "--trusted", trusted, *arguments]
    )


def test_the_first_untrusted_hop_from_the_right_is_the_client_and_each_step_is_said() -> None:
    result = _explain("--header", f"X-Forwarded-For: 1.1.1.1, {VISITOR}, 10.9.9.9")
    assert result.stdout.splitlines() == [
        "The peer 10.0.0.1 is trusted (10.0.0.0/8): X-Forwarded-For is read from the right.",
        "10.9.9.9 is trusted too (10.0.0.0/8): the entry left of it is read.",
        f"{VISITOR} is not trusted: it is the client, and what stands left of it is its own claim.",
        f"The client is {VISITOR}.",
    ]


def test_a_header_of_a_peer_that_is_not_trusted_is_not_believed_and_the_setting_named() -> None:
    result = _explain("--header", f"X-Forwarded-For: {VISITOR}", trusted="")
    assert "MILLRACE_EDGE_TRUSTED_PROXIES is empty" in result.stdout
    assert "not believed" in result.stdout
    assert result.stdout.endswith(f"The client is {PROXY}.\n")


def test_the_setting_in_force_is_used_when_none_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MILLRACE_EDGE_TRUSTED_PROXIES", "10.0.0.0/24")
    arguments = ["ip", "explain", "--peer", PROXY, "--header", f"x-forwarded-for:{VISITOR}"]
    assert f"The client is {VISITOR}." in CliRunner().invoke(cli, arguments).stdout


def test_a_header_that_is_never_read_is_said_to_be_none() -> None:
    result = _explain("--header", f"X-Real-IP: {VISITOR}")
    assert "x-real-ip is never read: have the proxy send X-Forwarded-For." in result.stdout
    assert "sent no X-Forwarded-For" in result.stdout
    assert "10.0.0.1 is a private address" in result.stdout


def test_where_every_hop_is_trusted_the_last_one_counts_and_that_is_said() -> None:
    result = _explain("--header", "X-Forwarded-For: 10.2.2.2, 10.9.9.9")
    assert "every hop is a proxy" in result.stdout
    assert "The client is 10.2.2.2." in result.stdout


def test_a_client_for_whom_a_trusted_proxy_asks_is_no_proxy_wherever_it_stands() -> None:
    for client in ("192.168.1.20", "192.0.2.1"):
        told = _explain("--header", f"X-Forwarded-For: {client}").stdout
        assert f"The client is {client}." in told
        assert "add it" not in told


@pytest.mark.parametrize(
    ("peer", "trusted", "advice"),
    [
        ("192.168.1.20", "", "add it to MILLRACE_EDGE_TRUSTED_PROXIES"),
        ("192.168.1.20", "192.168.0.0/16", "if it is a proxy's, have it send X-Forwarded-For"),
        ("203.0.113.7", "", None),
    ],
)
def test_a_private_peer_is_thought_a_proxy_and_one_from_an_example_is_not(
    peer: str, trusted: str, advice: str | None
) -> None:
    told = _explain(peer=peer, trusted=trusted).stdout
    assert advice in told if advice else "have it send" not in told


def test_what_is_no_address_ends_the_reading_and_cannot_break_out_of_its_line() -> None:
    result = _explain("--header", f"X-Forwarded-For: {VISITOR}, \x1b[2Jx")
    assert '"\\x1b[2Jx" is no address' in result.stdout
    assert f"The client is {PROXY}." in result.stdout


def test_the_answer_can_be_read_by_a_program() -> None:
    result = _explain("--header", f"X-Forwarded-For: {VISITOR}", "--json")
    shown = json.loads(result.stdout)
    assert (shown["client"], shown["trusted"]) == (VISITOR, ["10.0.0.0/8"])
    assert len(shown["because"]) == 2


@pytest.mark.parametrize(
    ("arguments", "peer", "trusted", "named"),
    [
        ([], "proxy", "", "proxy is no IP address"),
        ([], PROXY, "10.0.0.0/33", "10.0.0.0/33 is no network"),
        (["--header", "X-Forwarded-For"], PROXY, "", "Name: value"),
    ],
)
def test_what_cannot_be_read_is_named(
    arguments: list[str], peer: str, trusted: str, named: str
) -> None:
    result = _explain(*arguments, peer=peer, trusted=trusted)
    assert (result.exit_code, named in result.stderr) == (1, True)
