"""Revenue as an answer writes it."""

from decimal import Decimal

from babel.numbers import format_compact_currency, format_currency

from api.query.wire import Money

LOCALE = "en_US"


def money(currency: str, thousandths: int) -> Money:
    """The amount itself, and as people write it, in full and rounded."""
    amount = Decimal(thousandths) / 1000
    long = format_currency(amount, currency, locale=LOCALE)
    short = format_compact_currency(amount, currency, locale=LOCALE, fraction_digits=1)
    return Money(currency, float(amount), long, short if abs(amount) >= 1_000 else long)
