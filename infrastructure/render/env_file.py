"""The settings of a host, for systemd and compose alike."""

import msgspec

from infrastructure.manifest import Manifest, Role
from infrastructure.render.heading import heading
from shared.settings import Described, describe, variable


def env_path(role: Role) -> str:
    return f"/etc/millrace/{role}.env"


def env_file(manifest: Manifest, role: Role) -> str:
    """An environment file of the settings that this role's services read, each with its meaning."""
    required, optional = _settings(manifest, role)
    head = heading(
        f"Put it at {env_path(role)}, readable by root alone (mode 0600), and fill in the",
        "first part. NAME_FILE in place of NAME names a file that holds the value.",
    )
    return (
        head
        + "".join(map(_wanted, required))
        + "\n# What else may be set, with its default\n\n"
        + ("".join(map(_offered, optional)))
    )


def _settings(manifest: Manifest, role: Role) -> tuple[list[Described], list[Described]]:
    groups = {entry.settings_group for entry in manifest.services if entry.role == role}
    fields = [field for group in groups for field in msgspec.structs.fields(group)]
    read = {variable(field.name) for field in fields}
    needed = {variable(field.name) for field in fields if field.required}
    rows = [row for row in describe({}) if row.variable in read]
    return (
        [row for row in rows if row.variable in needed],
        [row for row in rows if row.variable not in needed],
    )


def _wanted(row: Described) -> str:
    return f"# {_about(row)}\n{row.variable}=\n"


def _offered(row: Described) -> str:
    return f"# {_about(row)}\n#{row.variable}={row.default}\n"


def _about(row: Described) -> str:
    return f"{row.meaning} [{row.unit}]" if row.unit else row.meaning
