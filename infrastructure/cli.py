"""`millrace VERB`, or `./run VERB` in a checkout: the contents page of all verbs."""

import errno
import importlib
from dataclasses import dataclass

import click

from infrastructure.problem import Problem
from shared.errors import Refusal
from shared.program import IN_CHECKOUT, PROGRAM
from shared.settings import BadSettings


@dataclass(frozen=True)
class Verb:
    """`module` is imported only when the verb is called: an edge installs without a database."""

    module: str
    help: str
    only_in_checkout: bool = False
    needs_core: bool = True


VERBS = {
    "demo": Verb("demo", "Show everything at once, an outage included.", only_in_checkout=True),
    "up": Verb("up", "Start servers and services in the background.", only_in_checkout=True),
    "down": Verb("down", "End what `up` has started.", only_in_checkout=True),
    "status": Verb("status", "What runs, what is ready, and where.", only_in_checkout=True),
    "logs": Verb("logs", "Show or follow the logs.", only_in_checkout=True),
    "test": Verb("test", "Run every test, or those of some paths.", only_in_checkout=True),
    "check": Verb("check", "Lint, types, import contracts, dead code.", only_in_checkout=True),
    "bench": Verb("bench", "Run the benchmarks, or some by name.", only_in_checkout=True),
    "chaos": Verb("chaos", "Kill, stop and cut off; account for all.", only_in_checkout=True),
    "wheel": Verb("wheel", "Build the wheel that hosts install from.", only_in_checkout=True),
    "site": Verb("site", "Add and list sites."),
    "owner": Verb("owner", "Add owners, reset their passwords."),
    "key": Verb("key", "Make and revoke API keys."),
    "edge": Verb("edge", "Register and retire edges."),
    "ledger": Verb("ledger", "Account for everything that was acknowledged."),
    "trace": Verb("trace", "Say where the event of a receipt is."),
    "quarantine": Verb("quarantine", "Look at, replay or discard what was set aside."),
    "replay": Verb("replay", "Read web server logs into a site."),
    "migrate": Verb("migrate", "Bring the database to this version's shape."),
    "settings": Verb("settings", "Every setting with value, source and meaning.", needs_core=False),
    "keys": Verb("keys", "Make, rotate and back up an installation's keys.", needs_core=False),
}


class Verbs(click.Group):
    """Finds a verb's module when it is called, and says expected failures in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, verb in VERBS.items() if IN_CHECKOUT or not verb.only_in_checkout]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        if verb.only_in_checkout and not IN_CHECKOUT:
            raise click.ClickException(f"`{cmd_name}` works in a checkout only: clone Millrace.")
        return _load(cmd_name, verb)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl([(name, VERBS[name].help) for name in self.list_commands(ctx)])

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (Problem, BadSettings) as problem:
            raise click.ClickException(str(problem)) from problem
        except Refusal as refusal:
            raise click.ClickException(refusal.message) from refusal
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT):
                raise
            raise click.ClickException(
                f"There is no space left for {error.filename or 'what has to be written'}: "
                "free some, or name other folders in MILLRACE_CACHE and MILLRACE_STATE."
            ) from error


def _load(name: str, verb: Verb) -> click.Command:
    try:
        module = importlib.import_module(f"infrastructure.verbs.{verb.module}")
    except ModuleNotFoundError as error:
        if not verb.needs_core or (error.name or "").startswith("infrastructure"):
            raise
        raise click.ClickException(
            f"`{name}` belongs to the core and needs {error.name}: install millrace[core]."
        ) from error
    command: click.Command = module.command
    return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """Millrace: web analytics that does not lose a beacon."""


def main() -> None:
    cli.main(prog_name=PROGRAM)


if __name__ == "__main__":
    main()
