"""`millrace help [VERB]`: the verbs by who uses them, or what one does."""

import click


@click.command()
@click.argument("verb", nargs=-1)
@click.pass_context
def command(context: click.Context, verb: tuple[str, ...]) -> None:
    """What there is to type; `help VERB` is `VERB --help`."""
    root = context.find_root()
    if verb:
        root.command.main([*verb, "--help"], prog_name=root.command_path)
    click.echo(root.get_help())
    click.echo(f"\n`{root.command_path} help VERB` says what a verb does and takes.")
