"""The rules by which orders are priced. All amounts are in cents."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

# Loyalty pays from this subtotal on.
LOYALTY_FROM = 20_000

# From this many pieces of one product on, each costs a little less.
BULK_FROM = 10
BULK_PERCENT = 2


class InvalidQuestion(Exception):
    """The question cannot be answered; the text says what is wrong with it."""


@dataclass(frozen=True)
class Tier:
    name: str
    percent: int


TIERS = {
    "basic": Tier("basic", 1),
    "silver": Tier("silver", 3),
    "gold": Tier("gold", 5),
}


@dataclass(frozen=True)
class Customer:
    id: str
    tier: str | None = None


@dataclass(frozen=True)
class Line:
    sku: str
    quantity: int
    list_price: int


@dataclass(frozen=True)
class Quote:
    total: int
    discount: int


def find_tier(customer: Customer) -> Tier | None:
    """The customer's tier in the loyalty programme."""
    return TIERS.get(customer.tier)


def loyalty_discount(customer: Customer | None, subtotal: int) -> int:
    """What the customer's tier takes off the subtotal."""
    if customer is None:
        return 0
    if subtotal < LOYALTY_FROM:
        return 0
    tier = find_tier(customer)
    return subtotal * tier.percent // 100


def bulk_discount(line: Line) -> int:
    """What a large quantity takes off one line."""
    if line.quantity < BULK_FROM:
        return 0
    return line.quantity * line.list_price * BULK_PERCENT // 100


def quote(customer: Customer | None, lines: list[Line]) -> Quote:
    """Price the lines for the customer, or for a price list where there is none."""
    subtotal = sum(line.quantity * line.list_price for line in lines)
    discount = sum(bulk_discount(line) for line in lines)
    discount += loyalty_discount(customer, subtotal - discount)
    return Quote(total=subtotal - discount, discount=discount)


def parse(question: Any) -> tuple[Customer | None, list[Line]]:
    """Read a question as it comes over HTTP."""
    try:
        customer = None
        if question.get("customer") is not None:
            customer = Customer(id=question["customer"]["id"], tier=question["customer"].get("tier"))
        lines = [Line(line["sku"], line["quantity"], line["list_price"]) for line in question["lines"]]
    except (KeyError, TypeError, AttributeError) as err:
        raise InvalidQuestion(f"the question lacks {err}") from err
    for line in lines:
        if not isinstance(line.quantity, int) or not isinstance(line.list_price, int) or line.quantity < 1:
            raise InvalidQuestion(f"{line.sku} needs a quantity and a price")
    if not lines:
        raise InvalidQuestion("there are no lines, or too many")
    return customer, lines
