"""Prices. In: provider and model as captured. Out: a `Price`, from `prices.tsv`, each row with source and date.

All amounts are exact decimals in US dollars per million tokens; sums are exact as well, so they do not drift.
A price that is not in the table is None and stays so: nothing is taken from a model with a similar name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Context, Decimal, Inexact
from functools import cache, lru_cache
from importlib.resources import files
from typing import Final, NamedTuple

from cachelens.errors import unknown_name
from cachelens.registry import Entry

#: What providers are called elsewhere -> name in the table.
_PROVIDERS: Final = {
    "amazon": "bedrock",
    "amazon-bedrock": "bedrock",
    "aws": "bedrock",
    "azure": "openai",
    "dashscope": "alibaba",
    "gemini": "google",
    "kimi": "moonshot",
    "moonshotai": "moonshot",
    "qwen": "alibaba",
    "x-ai": "xai",
}
#: Those whose models nobody else serves at a price of their own, so that a gateway's or proxy's name may stand
#: in their place.
_CLOSED: Final = ("anthropic", "openai", "google", "xai")
#: Providers that resell at the makers' list prices.
_RESELLERS: Final = {"vertex": ("anthropic", "google"), "openrouter": ()}

_BEDROCK = re.compile(
    r"^(?:(?P<region>[a-z]{2,6}(?:-gov)?)\.)?(?P<vendor>anthropic|amazon)\.(?P<name>[a-z].*)$"
)
_VERSION = re.compile(r"-v\d+(:\d+)?(:\d+k)?$")
_RELEASE = re.compile(r"(@[\w.-]+|-20\d{6}|-20\d\d-\d\d-\d\d|-latest)$")
_DOT = re.compile(r"(?<=\d)\.(?=\d)")
_LONG_CONTEXT = "[1m]"
_LONGEST_NAME = 300
#: Raises rather than rounds.
_EXACT = Context(prec=60, traps=[Inexact])


@dataclass(frozen=True)
class Price:
    """One row: US dollars per million tokens; None: not known, or there is no such thing.

    It holds for all tokens of a request with more than `above_tokens` prompt tokens. `write_5m`: writes to a
    cache whose entries live less than an hour; `input` where writes have no fee. `evidence`: `official` or
    `third-party`. `remark`: what to tell whoever sees the price; may be empty.
    """

    provider: str
    model: str
    above_tokens: int
    input: Decimal
    cache_read: Decimal | None
    write_5m: Decimal | None
    write_1h: Decimal | None
    output: Decimal | None
    evidence: str
    source: str
    date: str
    remark: str


class _Key(NamedTuple):
    """How a row is found: `region` is that of a Bedrock id, empty for none."""

    provider: str
    region: str
    name: str


@cache
def _table() -> dict[str, tuple[Price, ...]]:
    """Prices by id in order of the table, those for longer prompts last."""
    text = files("cachelens.simulate.prices").joinpath("prices.tsv").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    found: dict[str, list[Price]] = {}
    for line in lines[1:]:
        provider, model, above, first, *amounts, evidence, source, date, remark = line.split("\t")
        read, short, hour, output = (Decimal(amount) if amount else None for amount in amounts)
        found.setdefault(model, []).append(
            Price(
                provider, model, int(above), Decimal(first), read, short, hour, output,
                evidence, source, date, remark,
            )
        )  # fmt: skip
    return {model: tuple(sorted(rows, key=lambda row: row.above_tokens)) for model, rows in found.items()}


@cache
def _index() -> dict[_Key, tuple[Price, ...]]:
    """Prices by key, and by name without release date where that is no row's own name and no matter of choice."""
    found: dict[_Key, tuple[Price, ...]] = {}
    shorter: dict[_Key, list[tuple[Price, ...]]] = {}
    for model, rows in _table().items():
        region, name = _parts(model)
        provider = rows[0].provider
        first, *rest = _names(name)
        found.setdefault(_Key(provider, region, first), rows)
        for other in rest:
            shorter.setdefault(_Key(provider, region, other), []).append(rows)
    for key, several in shorter.items():
        if len({_amounts(rows) for rows in several}) == 1:
            found.setdefault(key, several[0])
    return found


def _amounts(rows: tuple[Price, ...]) -> tuple[object, ...]:
    return tuple(
        (row.above_tokens, row.input, row.cache_read, row.write_5m, row.write_1h, row.output) for row in rows
    )


def plain(model: str) -> str:
    """A name without provider, region, release date and version: `claude-sonnet-4-5`."""
    return _names(_parts(model.lower())[1])[-1]


def _parts(model: str) -> tuple[str, str]:
    """The region and the name of a model id in lower case; the region is empty but for Bedrock's ids."""
    name = model.rpartition("/")[2].removesuffix(_LONG_CONTEXT)
    if name.startswith("ft:"):
        return "", ":".join(name.split(":")[:2])
    match = _BEDROCK.match(name)
    return (match["region"] or "", _VERSION.sub("", match["name"])) if match else ("", name)


def _names(name: str) -> list[str]:
    """Names to look for, the exact one first, then without `@date`, `-date` and `-latest`."""
    name = _DOT.sub("-", name)
    names = [name.replace("@", "-").removesuffix("-default")]
    while (shorter := _RELEASE.sub("", name)) != name:
        name = shorter
        names.append(name)
    return names


@lru_cache(maxsize=1024)
def find_prices(model: str | None, provider: str | None = None) -> tuple[Price, ...]:
    """The rows of a model, the one for the longest prompts last; empty when it is not in the table.

    Names may carry a provider's prefix, a release date (`-20251001`, `-2025-08-07`, `@20251001`), `-latest`,
    Bedrock's region and version; a Bedrock id with a region has the price of that region or none. `provider`
    is who served the request, as in the `requests` table; None when that is not known. Who has no row in the
    table (a local server, another host) sells no open model at the price of its maker.
    """
    if not model or len(model) > _LONGEST_NAME:
        return ()
    text = model.strip().lower()
    region, name = _parts(text)
    bedrock = _BEDROCK.match(text.rpartition("/")[2]) is not None
    for provider_name in _sellers(text, provider, bedrock):
        for candidate in _names(name):
            rows = _index().get(_Key(provider_name, region, candidate))
            if rows is not None:
                return rows
    return ()


def _sellers(text: str, provider: str | None, bedrock: bool) -> tuple[str, ...]:
    """Whose price lists to look into, in order."""
    makers = tuple(dict.fromkeys(key.provider for key in _index() if key.provider != "bedrock"))
    if bedrock:
        return ("bedrock",)
    given = _PROVIDERS.get(provider.lower(), provider.lower()) if provider else ""
    if given in (*makers, "bedrock"):
        return (given,)
    if given and given not in _RESELLERS:
        return _CLOSED
    prefixes = [_PROVIDERS.get(part, part) for part in text.split("/")[:-1]]
    named = tuple(maker for maker in makers if maker in prefixes)
    return _RESELLERS.get(given, ()) or named or makers


def price_of(model: str | None, prompt_tokens: int, provider: str | None = None) -> Price | None:
    """The row that holds for a prompt of that length, None when the model has no price. See `find_prices`."""
    fitting = [
        row
        for row in find_prices(model, provider)
        if prompt_tokens > row.above_tokens or not row.above_tokens
    ]
    return fitting[-1] if fitting else None


def amount(
    price: Price, uncached: int, hit: int, written_5m: int, written_1h: int, output: int = 0
) -> Decimal | str:
    """US dollars for so many tokens of each kind, or a sentence on which price is not known.

    `uncached` are input tokens neither read from a cache nor written to it. Exact, whatever the decimal
    context. Prices are linear, so tokens of many requests with the same `Price` may be added up first.
    """
    total = Decimal(0)
    for tokens, each, what in (
        (uncached, price.input, "input"),
        (hit, price.cache_read, "cached input"),
        (written_5m, price.write_5m, "cache writes"),
        (written_1h, price.write_1h, "cache writes for an hour"),
        (output, price.output, "output"),
    ):
        if not tokens:
            continue
        if each is None:
            return f"no price of {what} of {price.model}" + (f" ({price.remark})" if price.remark else "")
        total = _EXACT.add(total, _EXACT.multiply(Decimal(tokens), each))
    return _EXACT.scaleb(total, -6)


class PriceList:
    """The prices as a registry that can be listed."""

    kind = "price"

    @property
    def entries(self) -> dict[str, Entry]:
        """Model ids in order of the table, with what a million tokens cost."""
        return {model: Entry(rows[0].source, _summary(rows)) for model, rows in _table().items()}

    def __iter__(self) -> Iterator[str]:
        return iter(self.entries)

    def __contains__(self, name: object) -> bool:
        return name in self.entries

    def require(self, name: str) -> Entry:
        """The entry of a model. Raises UsageError with a suggestion."""
        entry = self.entries.get(name)
        if entry is None:
            raise unknown_name("priced model", name, self.entries)
        return entry


def _summary(rows: tuple[Price, ...]) -> str:
    parts = []
    for row in rows:
        amounts = (row.input, row.cache_read, row.write_5m, row.write_1h, row.output)
        text = " / ".join("-" if amount is None else f"{amount.normalize():f}" for amount in amounts)
        parts.append(f"above {row.above_tokens:,} tokens {text}" if row.above_tokens else text)
    remark = f"   {rows[0].remark}" if rows[0].remark else ""
    return f"{'; '.join(parts)}   {rows[0].date}{remark}"


PRICES = PriceList()
