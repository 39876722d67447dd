"""Money as integers: thousandths of the currency's unit."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from shared.beacon import Item, Revenue
from writer.draft import Draft, Money


def thousandths(amount: Decimal) -> int:
    """Exact: the contract allows three places."""
    return int(amount.scaleb(3))


def read_money(drafts: Sequence[Draft]) -> None:
    """Add revenue and items, where there are any."""
    for draft in drafts:
        beacon = draft.beacon
        if beacon.revenue is not None or beacon.items:
            draft.money = _money_of(beacon.revenue, beacon.items)


def _money_of(revenue: Revenue | None, items: list[Item]) -> Money:
    return Money(
        revenue=None if revenue is None else thousandths(revenue.amount),
        currency=None if revenue is None else revenue.currency,
        items=msgspec.json.encode([_item(item) for item in items]) if items else None,
    )


def _item(item: Item) -> dict[str, object]:
    plain: dict[str, object] = {"sku": item.sku, "name": item.name, "quantity": item.quantity}
    if item.price is not None:
        plain["price"] = thousandths(item.price)
    return plain
