"""A report as an operator reads it."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from infrastructure.plain_text import plain
from infrastructure.status.findings import Finding
from infrastructure.status.place import INSTALLED, Place
from infrastructure.status.report import Report, ServiceState, SpoolState
from infrastructure.whole_table import plain_console, print_table

_UNITS = ("bytes", "kB", "MB", "GB")


def show(report: Report, findings: list[Finding], place: Place) -> None:
    """Tables, then each finding with the next step below it."""
    if place.folder is not None:
        click.echo(f"{place.name}: {place.folder}")
    console = plain_console()
    print_table(
        ("service", "state", "address", "health and metrics"), map(_row, report.services), console
    )
    servers = [(each.name, each.address, each.trouble or "answers") for each in report.servers]
    if servers:
        print_table(("server", "address", "state"), servers, console)
    for line in _lines(report):
        click.echo(line)
    for finding in findings:
        mark = click.style("wrong", fg="red") if finding.is_fault else click.style("look", "yellow")
        click.echo(f"{mark}  {plain(finding.says)}\n       → {plain(finding.next)}")
    if not any(finding.is_fault for finding in findings):
        click.echo("Nothing is wrong." if findings else "All is well.")


def _row(service: ServiceState) -> tuple[str, str, str, str]:
    address = f"http://{service.address}" if service.address else ""
    return service.name, service.state, address, f"http://{service.ops}"


def _lines(report: Report) -> Iterator[str]:
    for service in report.services:
        if where := service.readiness.get("stores_at"):
            yield f"Beacons are stored at: {where}."
    if report.spool is not None:
        yield f"Spool: {_spool(report.spool)}"
    if report.lag is not None:
        behind = [f"{entries} of {edge}" for edge, entries in sorted(report.lag.items()) if entries]
        yield f"Writer: {', '.join(behind) + ' to be stored' if behind else 'nothing behind'}."
    if report.rollups_behind_s is not None:
        yield f"Rollups: {report.rollups_behind_s:.1f} s behind."
    if report.core is not None:
        lost = sum(edge.lost_batches for edge in report.core.edges)
        held = sum(report.core.quarantined.values())
        yield f"Ledger: {lost or 'nothing'} lost. Quarantine: {held or 'nothing'} held."
        if report.where == INSTALLED:
            yield from (
                f"Edge {edge.edge}: {edge.spooled_batches} batches spooled, "
                f"{size(edge.spooled_bytes)}, as it last said."
                for edge in report.core.edges
                if edge.spooled_batches
            )


def _spool(spool: SpoolState) -> str:
    room = f"room for {size(spool.headroom_bytes)}"
    if spool.headroom_s is not None:
        room += f" ({spool.headroom_s / 3600:.1f} h at the current rate)"
    if not spool.batches:
        return f"empty, {room}."
    since = ""
    if spool.oldest_at:
        since = f", the oldest {(datetime.now(UTC) - spool.oldest_at).total_seconds():.0f} s old"
    return f"{spool.batches} batches, {size(spool.bytes)}{since}, {room}."


def size(count: float) -> str:
    """So many bytes in a unit that suits."""
    for unit in _UNITS[:-1]:
        if count < 1_000:
            return f"{count:.0f} {unit}" if unit == "bytes" else f"{count:.1f} {unit}"
        count /= 1_000
    return f"{count:.1f} {_UNITS[-1]}"
