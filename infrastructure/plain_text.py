"""Text that goes between a terminal and the database, in both directions."""

import click


def plain(value: object) -> str:
    """A client's text as it is, never as markup or control characters."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in str(value))


class Storable(click.ParamType[str]):
    """Text that PostgreSQL can hold: neither half of a character nor NUL."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            value.encode()
        except UnicodeEncodeError:
            self.fail("it is no UTF-8 text.", param, ctx)
        if "\0" in value:
            self.fail("it holds a NUL character.", param, ctx)
        return value
