"""Options that say which caches to replay. In: nothing. Out: annotated types, and `GridOptions` made of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

import typer

from cachelens.cli.capacity import parse_capacities
from cachelens.cli.names import NAMED
from cachelens.cli.options import names_of
from cachelens.errors import UsageError
from cachelens.model.options import CurveOptions, GridOptions

Engines = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAMES",
        help="Caches to replay, with commas between (`cachelens list engines`).",
        show_default="lru",
        autocompletion=names_of("engines"),
    ),
]
OneEngine = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="NAME",
        help="Cache to replay (`cachelens list engines`).",
        show_default="lru, or an infinite cache",
        autocompletion=names_of("engines"),
    ),
]
Policies = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAMES",
        help="Eviction policies, with commas between (`cachelens list policies`).",
        show_default="the engine's own",
        autocompletion=names_of("policies"),
    ),
]
Capacities = Annotated[
    str | None,
    typer.Option(
        "--capacity",
        metavar="SIZES",
        help="Sizes with commas between: tokens (200k, 8m), shares of the working set (0.1, 10%), memory of a "
        "--model (8gib), auto (log-spaced), inf. With --curve: one size, to mark.",
        show_default="1%,3%,10%,30%,100%",
    ),
]
PageSize = Annotated[
    int | None,
    typer.Option(
        "--page-size",
        min=1,
        max=1_000_000,
        metavar="TOKENS",
        help="Tokens in a page or block of the cache.",
        show_default="the engine's own",
    ),
]
ModelName = Annotated[
    str | None,
    typer.Option(
        "--model",
        metavar="NAME",
        help="Model whose KV cache is held (`cachelens list models`): for sizes in bytes and FLOPs.",
        autocompletion=names_of("models"),
        show_default="none",
    ),
]
KvDtype = Annotated[
    str, typer.Option("--kv-dtype", metavar="TYPE", help="Type of the KV cache: bf16, fp8, …")
]
TensorParallel = Annotated[
    int, typer.Option("--tp", min=1, max=1024, help="Tensor-parallel ranks that the model is split over.")
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory",
        metavar="SIZE",
        help="Memory of all ranks together (640gib): the capacity is what weights and activations leave.",
        show_default="none",
    ),
]
WeightsDtype = Annotated[
    str | None,
    typer.Option(
        "--weights-dtype",
        metavar="TYPE",
        help="With --memory: type of the weights.",
        show_default="as the model was published",
    ),
]
Utilization = Annotated[
    float,
    typer.Option(
        "--utilization", min=0.01, max=1.0, help="With --memory: the share of it for weights and KV."
    ),
]
Tiers = Annotated[
    list[str] | None,
    typer.Option(
        "--tier",
        metavar="NAME:SIZE",
        help="A slower tier below, such as host:256gib; repeatable.",
        show_default="none",
    ),
]
Replicas = Annotated[
    int, typer.Option("--replicas", min=1, max=4096, help="Servers, each with that capacity.")
]
Router = Annotated[
    str | None,
    typer.Option(
        "--router",
        metavar="NAME",
        help="What sends requests to replicas (`cachelens list routers`).",
        autocompletion=names_of("routers"),
        show_default="round-robin, when there are replicas",
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="OPTION=VALUE",
        help="An option of an engine, or ENGINE.OPTION=VALUE; repeatable (docs/engines).",
        show_default="none",
    ),
]
Sequential = Annotated[
    bool, typer.Option("--sequential", help="One request after the other, whatever the times in the trace.")
]


def names(text: str, list_name: str) -> tuple[str, ...]:
    """Registered names with commas between. Raises UsageError, with a suggestion, for an unknown one."""
    found = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not found:
        raise UsageError("a list of names is empty", f"`cachelens list {list_name}` shows them")
    for name in found:
        NAMED.load(list_name).require(name)
    return found


def engine_settings(given: Sequence[str] | None) -> dict[str, str]:
    """`--set` options by name. Raises UsageError for one without a value, or given twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {text!r} is not OPTION=VALUE", "for example --set slots=4")
        if name.strip() in found:
            raise UsageError(f"--set {name.strip()!r} is given twice")
        found[name.strip()] = value.strip()
    return found


def grid_options(
    engine: str | None,
    policy: str | None,
    capacity: str,
    page_size: int | None,
    model: str | None,
    kv_dtype: str,
    tp: int,
    memory: str | None,
    weights_dtype: str | None,
    utilization: float,
    tier: Sequence[str] | None,
    replicas: int,
    router: str | None,
    set_option: Sequence[str] | None,
    sequential: bool,
    jobs: int,
) -> GridOptions:
    """The grid that the options of `simulate` describe. Raises UsageError for contradictions."""
    if router is not None and replicas == 1:
        raise UsageError("a router needs replicas", "add --replicas N")
    if memory is not None and model is None:
        raise UsageError("--memory needs a model", "add --model NAME (`cachelens list models`)")
    if model is not None:
        NAMED.load("models").require(model)
    if router is not None:
        NAMED.load("routers").require(router)
    return GridOptions(
        engines=names(engine, "engines") if engine is not None else GridOptions.engines,
        policies=names(policy, "policies") if policy is not None else (),
        capacities=tuple(part.strip() for part in capacity.split(",")),
        page_size=page_size,
        tiers=tuple(_tier(text) for text in tier or ()),
        replicas=replicas,
        router=router or ("round-robin" if replicas > 1 else None),
        model=model,
        kv_dtype=kv_dtype,
        tp=tp,
        memory=memory,
        weights_dtype=weights_dtype,
        utilization=str(utilization),
        engine_options=engine_settings(set_option),
        jobs=jobs,
        concurrent=not sequential,
    )


def _tier(text: str) -> tuple[str, str]:
    name, colon, size = text.partition(":")
    if not colon or not name.strip() or not size.strip():
        raise UsageError(f"--tier {text!r} is not NAME:SIZE", "for example --tier host:256gib")
    return name.strip(), size.strip()


def curve_options(
    grid: GridOptions, lines: bool, capacity: str | None, curve: bool, points: int, blocks: bool
) -> CurveOptions:
    """The curve that the options of `simulate` describe; `lines`: with the engines and policies of `grid`.

    Raises UsageError for options that a curve cannot have.
    """
    if grid.replicas > 1 or grid.tiers:
        raise UsageError("a curve is of one cache", "leave --replicas and --tier out, or --curve")
    page = grid.page_size or 1
    per_token = None
    if grid.model is not None:
        from cachelens.simulate.capacity import LARGEST, resolve
        from cachelens.simulate.models.shapes import find_shape

        shape = find_shape(grid.model)
        per_token = float(shape.kv_bytes_per_token(grid.kv_dtype, grid.tp))
        if capacity is not None and curve:
            capacity = str(resolve([capacity], LARGEST, page, shape, grid.kv_dtype, grid.tp)[0].tokens)
    chosen: tuple[tuple[str, str | None], ...] = ()
    if lines:
        if blocks:
            raise UsageError("--blocks replays plain block LRU only", "leave --engine and --policy out")
        engines = grid.engines if grid.engines != GridOptions.engines else ("sglang",)
        chosen = tuple((name, policy) for name in engines for policy in grid.policies or (None,))
    sizes = None if capacity is None else parse_capacities(capacity, page)
    options = CurveOptions(
        page_size=page, points=points, blocks=blocks, lines=chosen, kv_bytes_per_token=per_token
    )
    if not curve:
        return replace(
            options, points=0, capacities=sizes or parse_capacities(",".join(grid.capacities), page)
        )
    if sizes is None:
        return options
    if len(sizes) > 1 or isinstance(sizes[0], float):
        raise UsageError(
            "--curve marks one capacity in tokens, such as 200k", "leave --curve out for a table of sizes"
        )
    return replace(options, marked_capacity_tokens=sizes[0])
