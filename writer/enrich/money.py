"""Money as integers: thousandths of the currency's unit."""

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from shared.beacon import Item
from writer.draft import Draft, Money


def thousandths(amount: Decimal) -> int:
    """Exact: the contract allows three places."""
    return int(amount.scaleb(3))


def read_money(draft: Draft) -> Draft:
    """Add revenue and items, where there are any."""
    revenue, items = draft.beacon.revenue, draft.beacon.items
    if revenue is None and not items:
        return draft
    money = Money(
        revenue=None if revenue is None else thousandths(revenue.amount),
        currency=None if revenue is None else revenue.currency,
        items=msgspec.json.encode([_item(item) for item in items]) if items else None,
    )
    return replace(draft, money=money)


def _item(item: Item) -> dict[str, object]:
    plain: dict[str, object] = {"sku": item.sku, "name": item.name, "quantity": item.quantity}
    if item.price is not None:
        plain["price"] = thousandths(item.price)
    return plain
