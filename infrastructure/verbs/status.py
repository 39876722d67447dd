"""`millrace status`: what runs, what is wrong, and what to type next."""

import sys
from typing import Any

import click
import msgspec

from infrastructure.manifest import Manifest, read_manifest
from infrastructure.status.findings import Finding, find
from infrastructure.status.place import Place, installed_place, running_places
from infrastructure.status.report import Report, read_report
from infrastructure.status.screen import show
from shared.program import PROGRAM


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(as_json: bool) -> None:
    """Each process and server here, the spool, the writer's lag, the ledger.

    Whatever is wrong comes with the next command to type, and makes the exit code 1.
    """
    manifest = read_manifest()
    read = [(place, *_read(place, manifest)) for place in _places(manifest)]
    faults = [finding for *_, findings in read for finding in findings if finding.is_fault]
    well = bool(read) and not faults
    if as_json:
        places = [_plain(report, findings) for _, report, findings in read]
        click.echo(msgspec.json.encode({"well": well, "places": places}))
    elif not read:
        click.echo(f"Nothing is up: start it with `{PROGRAM} up`.")
    else:
        for place, report, findings in read:
            show(report, findings, place)
    sys.exit(0 if well else 1)


def _places(manifest: Manifest) -> list[Place]:
    running = running_places()
    installed = None if running else installed_place(manifest)
    return [installed] if installed else running


def _read(place: Place, manifest: Manifest) -> tuple[Report, list[Finding]]:
    report = read_report(place, manifest)
    return report, find(report, place, manifest)


def _plain(report: Report, findings: list[Finding]) -> dict[str, Any]:
    return {
        **msgspec.to_builtins(report),
        "findings": [finding._asdict() for finding in findings],
    }
