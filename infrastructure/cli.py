"""`millrace VERB`, or `./run VERB` in a checkout: the contents page of all verbs."""

if __name__ == "__main__":
    from infrastructure import interrupt

import errno
import importlib
from dataclasses import dataclass
from importlib.util import find_spec

import click
from click.shell_completion import CompletionItem

from infrastructure.problem import Problem
from shared.errors import Refusal
from shared.program import IN_CHECKOUT, PROGRAM
from shared.settings import BadSettings

COMPLETE_VARIABLE = "_MILLRACE_COMPLETE"

OWNER, OPERATOR, DEVELOPER = "Sites and people", "Running it", "Working on Millrace"


@dataclass(frozen=True)
class Verb:
    """`module` is imported only when the verb is called: an edge installs without a database.
    `who` needs it, as the list of verbs is parted."""

    module: str
    help: str
    who: str
    only_in_checkout: bool = False
    needs_core: bool = True


VERBS = {
    "site": Verb("site", "Add and list sites.", OWNER),
    "owner": Verb("owner", "Add owners, reset their passwords.", OWNER),
    "key": Verb("key", "Make and revoke API keys.", OWNER),
    "goal": Verb("goal", "What visitors shall do.", OWNER),
    "segment": Verb("segment", "Filters to be asked for by name.", OWNER),
    "exclusion": Verb("exclusion", "Take events out of every answer.", OWNER),
    "bots": Verb("bots", "Say what else is a robot, or is none.", OWNER),
    "replay": Verb("replay", "Read web server logs into a site.", OWNER),
    "trace": Verb("trace", "Say where the event of a receipt is.", OWNER),
    "demo": Verb("demo", "Show everything at once, an outage included.", OPERATOR, True),
    "up": Verb("up", "Start servers and services in the background.", OPERATOR, True),
    "down": Verb("down", "End what `up` has started.", OPERATOR, True),
    "status": Verb("status", "What runs, what is wrong, what to do.", OPERATOR, needs_core=False),
    "logs": Verb("logs", "Show or follow the logs.", OPERATOR, True),
    "reset": Verb("reset", "Delete what `up` or `demo` has kept.", OPERATOR, True),
    "edge": Verb("edge", "Register and retire edges.", OPERATOR),
    "ledger": Verb("ledger", "Account for everything that was acknowledged.", OPERATOR),
    "archive": Verb("archive", "Closed days as Parquet files.", OPERATOR),
    "quarantine": Verb("quarantine", "Look at, replay, discard what was set aside.", OPERATOR),
    "rollup": Verb("rollup", "Make the sums of days anew, or compare them.", OPERATOR),
    "spool": Verb("spool", "Repair a damaged spool's file.", OPERATOR, needs_core=False),
    "ip": Verb("ip", "Whose address is believed, and why.", OPERATOR, needs_core=False),
    "settings": Verb("settings", "Every setting, its value and meaning.", OPERATOR, False, False),
    "keys": Verb("keys", "Make, rotate and back up the keys.", OPERATOR, needs_core=False),
    "migrate": Verb("migrate", "Bring the database to this version's shape.", OPERATOR),
    "completion": Verb("completion", "Let the shell complete verbs.", OPERATOR, needs_core=False),
    "help": Verb("help", "The verbs, or what one does.", OPERATOR, needs_core=False),
    "test": Verb("test", "Run every test, or those of some paths.", DEVELOPER, True),
    "check": Verb("check", "Lint, types, import contracts, dead code.", DEVELOPER, True),
    "bench": Verb("bench", "Run the benchmarks, or some by name.", DEVELOPER, True),
    "chaos": Verb("chaos", "Kill, stop and cut off; account for all.", DEVELOPER, True),
    "render": Verb("render", "Write units, compose and proxy files.", DEVELOPER, True),
    "wheel": Verb("wheel", "Build the wheel that hosts install from.", DEVELOPER, True),
}


class Verbs(click.Group):
    """Finds a verb's module when it is called, and says expected failures in one sentence."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name, verb in VERBS.items() if IN_CHECKOUT or not verb.only_in_checkout]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        verb = VERBS.get(cmd_name)
        if verb is None or (ctx.resilient_parsing and not _is_usable(verb)):
            return None
        if verb.only_in_checkout and not IN_CHECKOUT:
            raise click.ClickException(f"`{cmd_name}` works in a checkout only: clone Millrace.")
        return _load(cmd_name, verb)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for who in (OWNER, OPERATOR, DEVELOPER):
            names = [name for name in self.list_commands(ctx) if VERBS[name].who == who]
            if names:
                with formatter.section(who):
                    formatter.write_dl([(name, VERBS[name].help) for name in names])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand as error:
            # click itself knows only commands that are imported already.
            raise click.exceptions.NoSuchCommand(
                error.command_name, possibilities=self.list_commands(ctx), ctx=ctx
            ) from error

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The verbs, without importing any."""
        return [
            CompletionItem(name, help=VERBS[name].help)
            for name in self.list_commands(ctx)
            if name.startswith(incomplete)
        ]

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


def _is_usable(verb: Verb) -> bool:
    """Whether it can be imported here, asked where no message could be shown."""
    if verb.only_in_checkout:
        return IN_CHECKOUT
    return not verb.needs_core or find_spec("sqlalchemy") is not None


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


def _say_version(context: click.Context, _: click.Parameter, is_asked: bool) -> None:
    if is_asked and not context.resilient_parsing:
        # Only asked for by people: it takes longer to import than all the rest of this.
        version = importlib.import_module("infrastructure.version").version
        click.echo(f"millrace {version()}")
        context.exit()


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_say_version,
    help="Print the version and exit.",
)
def cli() -> None:
    """Millrace: web analytics that does not lose a beacon."""


def main() -> None:
    cli.main(prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE)


if __name__ == "__main__":
    interrupt.hear_again()
    main()
