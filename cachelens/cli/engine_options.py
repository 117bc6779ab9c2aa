"""Options that say which caches to replay. In: nothing. Out: annotated types, and `GridOptions` made of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from cachelens.cli.names import NAMED
from cachelens.cli.options import names_of
from cachelens.errors import UsageError
from cachelens.model.options import AnalyzeOptions, CurveOptions, GridOptions, KvOptions
from cachelens.simulate.capacity import Kind, at_least_a_page, parse_sizes

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
        show_default="the one that the traffic met; lru with a size",
        autocompletion=names_of("engines"),
    ),
]
OnePolicy = Annotated[
    str | None,
    typer.Option(
        "--policy",
        metavar="NAME",
        help="Eviction policy (`cachelens list policies`).",
        show_default="the engine's own",
        autocompletion=names_of("policies"),
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
OneCapacity = Annotated[
    str,
    typer.Option(
        "--capacity",
        metavar="SIZE",
        help="Size of the cache: tokens (200k, 8m), a share of the working set (10%), memory of a --model (8gib), "
        "inf.",
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


def kv_options(
    model: str | None,
    kv_dtype: str,
    tp: int,
    memory: str | None,
    weights_dtype: str | None,
    utilization: float,
) -> KvOptions:
    """Whose KV is held. Raises UsageError for an unknown model, and for memory without one."""
    if memory is not None and model is None:
        raise UsageError("--memory needs a model", "add --model NAME (`cachelens list models`)")
    if memory is None and weights_dtype is not None:
        raise UsageError("--weights-dtype says what --memory leaves", "add --memory SIZE, or leave it out")
    if model is not None:
        NAMED.load("models").require(model)
    return KvOptions(model, kv_dtype, tp, memory, weights_dtype, str(utilization))


def sizes(text: str, kv: KvOptions, page_size: int | None = None) -> tuple[str, ...]:
    """Sizes with commas between, as texts. Raises UsageError for what is none, whatever the trace will be."""
    found = parse_sizes(text)
    for size in found:
        if size.kind is Kind.BYTES and kv.model is None:
            raise UsageError(
                f"capacity {size.text!r} is memory: how many tokens it holds depends on the model",
                "add --model NAME (`cachelens list models`)",
            )
        if size.kind is Kind.TOKENS:
            at_least_a_page(int(size.amount), size.text, page_size or 1)
    return tuple(size.text for size in found)


def tiers(given: Sequence[str] | None, kv: KvOptions) -> tuple[tuple[str, str], ...]:
    """`--tier` options by name and size. Raises UsageError for what is none, and a name given twice."""
    found: dict[str, str] = {}
    for text in given or ():
        name, colon, size = (part.strip() for part in text.partition(":"))
        if not colon or not name or not size or "," in size:
            raise UsageError(f"--tier {text!r} is not NAME:SIZE", "for example --tier host:256gib")
        if name in found:
            raise UsageError(f"--tier {name!r} is given twice")
        sizes(size, kv)
        found[name] = size
    return tuple(found.items())


def one_cache(
    verb: str,
    capacity: str,
    engine: str | None,
    policy: str | None,
    page_size: int | None,
    kv: KvOptions,
    tier: Sequence[str] | None,
    set_option: Sequence[str] | None,
    sequential: bool,
) -> AnalyzeOptions:
    """The one cache that `verb` replays. Raises UsageError for unknown names and for several sizes."""
    if kv.model is not None:
        NAMED.load("models").require(kv.model)
    if engine is not None:
        NAMED.load("engines").require(engine)
    size = sizes(capacity, kv, page_size)
    if len(size) > 1:
        raise UsageError(f"{verb} replays one size of cache", "cachelens simulate takes several")
    return AnalyzeOptions(
        capacity=size[0],
        page_size=page_size,
        engine=engine,
        policy=policy,
        tiers=tiers(tier, kv),
        kv=kv,
        engine_options=engine_settings(set_option),
        concurrent=not sequential,
    )


def grid_options(
    engine: str | None,
    policy: str | None,
    capacity: str | None,
    page_size: int | None,
    kv: KvOptions,
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
    if capacity is not None and kv.memory is not None:
        raise UsageError("--capacity and --memory both say how large the cache is", "leave one of them out")
    if router is not None:
        NAMED.load("routers").require(router)
    return GridOptions(
        engines=names(engine, "engines") if engine is not None else GridOptions.engines,
        policies=names(policy, "policies") if policy is not None else (),
        capacities=GridOptions.capacities if capacity is None else sizes(capacity, kv, page_size),
        page_size=page_size,
        tiers=tiers(tier, kv),
        kv=kv,
        replicas=replicas,
        router=router or ("round-robin" if replicas > 1 else None),
        engine_options=engine_settings(set_option),
        jobs=jobs,
        concurrent=not sequential,
    )


def curve_options(
    grid: GridOptions, engine: str | None, capacity: str | None, curve: bool, points: int, blocks: bool
) -> CurveOptions:
    """The curve that the options of `simulate` describe: of LRU, and with `engine` or policies further lines.

    Raises UsageError for options that a curve cannot have.
    """
    if grid.replicas > 1 or grid.tiers:
        raise UsageError("a curve is of one cache", "leave --replicas and --tier out, or --curve")
    if grid.jobs > 1:
        raise UsageError("a curve is computed by one process", "leave --jobs out, or --curve")
    lines: tuple[tuple[str, str | None], ...] = ()
    if engine is not None or grid.policies:
        engines = grid.engines if engine is not None else ("sglang",)
        lines = tuple((name, policy) for name in engines for policy in grid.policies or (None,))
    elif grid.engine_options or not grid.concurrent:
        raise UsageError(
            "--set and --sequential are for engines, and the curve is of LRU", "add --engine NAMES"
        )
    if blocks and lines:
        raise UsageError("--blocks replays plain block LRU only", "leave --engine and --policy out")
    if blocks and grid.kv.model is not None:
        raise UsageError("blocks of a hash trace have no size in bytes", "leave --model or --blocks out")
    if curve and len(grid.capacities) > 1 and capacity is not None:
        raise UsageError("--curve marks one capacity", "leave --curve out for a table of sizes")
    marks = curve and (capacity is not None or grid.kv.memory is not None)
    return CurveOptions(
        page_size=grid.page_size or 1,
        points=points if curve else 0,
        blocks=blocks,
        marked=grid.capacities[0] if marks else None,
        capacities=() if curve else grid.capacities,
        lines=lines,
        kv=grid.kv,
        engine_options=grid.engine_options,
        concurrent=grid.concurrent,
    )
