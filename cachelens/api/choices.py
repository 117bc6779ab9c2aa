"""Keyword options of the library. In: what a caller may write. Out: frozen options as the stages take them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, KvOptions

#: A size: tokens as a number, or a text such as `8m`, `10%`, `8gib`, `inf`.
Size = str | int | float
#: A value of an option of an engine, or of a threshold.
Value = str | int | float | bool


def size(value: Size) -> str:
    """The size as text. Raises UsageError for what is none."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise UsageError(
            f"a size is a number or a text, not {type(value).__name__}", "such as 200_000 or '10%'"
        )
    return str(value)


def sizes(value: Size | Iterable[Size]) -> tuple[str, ...]:
    """Several sizes; a text may hold several with commas between."""
    if isinstance(value, str):
        return names(value)
    return tuple(map(size, value)) if isinstance(value, Iterable) else (size(value),)


def names(value: str | Iterable[str]) -> tuple[str, ...]:
    """Several names, each once; a text may hold several with commas between. Raises UsageError when there is none."""
    found = value.split(",") if isinstance(value, str) else list(value)
    clean = tuple(dict.fromkeys(name.strip() for name in found if name.strip()))
    if not clean:
        raise UsageError("a list of names is empty")
    return clean


def texts(values: Mapping[str, Value] | None) -> dict[str, str]:
    """Values by name, as text; truths as `true` and `false`."""
    return {
        name: str(value).lower() if isinstance(value, bool) else str(value)
        for name, value in (values or {}).items()
    }


def tiers(values: Mapping[str, Size] | None) -> tuple[tuple[str, str], ...]:
    """Slower tiers by name, nearest first."""
    return tuple((name, size(value)) for name, value in (values or {}).items())


def one_cache(
    *,
    engine: str | None,
    capacity: Size,
    policy: str | None,
    page_size: int | None,
    model: str | None,
    kv_dtype: str,
    tp: int,
    tiers_below: Mapping[str, Size] | None,
    options: Mapping[str, Value] | None,
    sequential: bool,
    what_if: str | Sequence[str],
    thresholds: Mapping[str, Value] | None,
    tools: str | None,
    show_text: bool,
    pictures: bool = False,
) -> AnalyzeOptions:
    """The one cache that an analysis replays, and what it is to say."""
    return AnalyzeOptions(
        capacity=size(capacity),
        page_size=page_size,
        engine=engine,
        policy=policy,
        tiers=tiers(tiers_below),
        kv=KvOptions(model, kv_dtype, tp),
        engine_options=texts(options),
        concurrent=not sequential,
        what_if=tuple(code.upper() for code in names(what_if)) if what_if else (),
        thresholds={name.replace("-", "_"): value for name, value in texts(thresholds).items()},
        tools_file=tools,
        show_text=show_text,
        pictures=pictures,
    )
