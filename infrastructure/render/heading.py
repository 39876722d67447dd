"""The first lines of a rendered file, as comments."""

RENDERED = "Rendered from app.manifest.yaml by `./run render`: change that, not this."


def heading(*lines: str) -> str:
    """Comments that every format here knows."""
    return "".join(f"# {line}".rstrip() + "\n" for line in (RENDERED, "", *lines)) + "\n"
