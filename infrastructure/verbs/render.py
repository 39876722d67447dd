"""`./run render`: compose, systemd and proxy files, from app.manifest.yaml."""

import click

from infrastructure.manifest import read_manifest
from infrastructure.problem import Problem
from infrastructure.render.files import INFRASTRUCTURE, rendered, stale


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit code 1 where a file is stale.")
def command(check: bool) -> None:
    """Write what is rendered from the manifest: units, compose, proxies, environment files."""
    manifest = read_manifest()
    differing = stale(manifest)
    if check and differing:
        names = ", ".join(f"infrastructure/{path}" for path in differing)
        raise Problem(f"Not as app.manifest.yaml says: {names}. Run `./run render`.")
    texts = rendered(manifest)
    for path in differing:
        file = INFRASTRUCTURE / path
        if path in texts:
            file.write_text(texts[path])
        else:
            file.unlink()
        click.echo(f"infrastructure/{path}")
