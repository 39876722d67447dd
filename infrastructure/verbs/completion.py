"""`millrace completion SHELL`: what lets a shell complete verbs, options and names."""

import click
from click.shell_completion import get_completion_class

from infrastructure.cli import COMPLETE_VARIABLE, cli
from shared.program import IN_CHECKOUT, PROGRAM

SHELLS = ("bash", "zsh", "fish")


@click.command(
    epilog=f"""\b
bash, in ~/.bashrc:                       eval "$({PROGRAM} completion bash)"
zsh, in ~/.zshrc, after compinit:         eval "$({PROGRAM} completion zsh)"
fish, in ~/.config/fish/config.fish:      {PROGRAM} completion fish | source
"""
)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> None:
    """Print the script for SHELL, to be read at its start."""
    kind = get_completion_class(shell)
    assert kind is not None
    script = kind(cli, {}, PROGRAM, COMPLETE_VARIABLE)
    click.echo(_of_checkout(script.source()) if IN_CHECKOUT else script.source())


def _of_checkout(script: str) -> str:
    """zsh looks a command up in its PATH, where ./run is not; fish goes by the last part alone."""
    lines = [line for line in script.splitlines() if "$+commands[" not in line]
    return "\n".join(lines).replace(f"--command {PROGRAM}", f"--command {PROGRAM[2:]}")
