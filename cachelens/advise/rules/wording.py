"""Numbers in sentences. In: a number and a noun. Out: words."""

from __future__ import annotations


def count(number: int, noun: str) -> str:
    """`1 request`, `2 requests`, `12,000 requests`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def verb(number: int, one: str, more: str) -> str:
    """The form of a verb that fits the number."""
    return one if number == 1 else more
