"""The application. In: arguments. Out: one verb run, its exit code.

Nothing heavy is imported here or by the modules of the verbs: they import what they use when they run.
"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from typer.main import get_command

import cachelens
from cachelens.cli.bundles import spelled_out
from cachelens.cli.config.apply import FILE, Verb, equip, install, origin
from cachelens.cli.verbs import VERBS
from cachelens.errors import UsageError

NAME = "cachelens"

#: Shown below the help of the program; `\b` keeps the lines as they are.
EXAMPLES = """\b
Examples:
  cachelens analyze trace.jsonl
  cachelens simulate trace.har --engine sglang,vllm --capacity 10%,8m
  cachelens simulate trace.har --curve -o curve.svg
"""

#: typer re-exports click's usage errors; the class that all of them share is not among them.
_Complaint: type[Exception] = next(
    base for base in typer.BadParameter.__mro__ if base.__name__ == "ClickException"
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"{NAME} {cachelens.__version__}")
        raise typer.Exit


def _program(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and leave."),
    ] = False,
    config: Annotated[
        str | None,
        typer.Option(
            "--config",
            metavar="FILE",
            envvar=FILE,
            show_envvar=False,
            is_eager=True,
            help="File of settings (docs/configuration.md); `none` for none.",
            show_default="the nearest cachelens.toml, or pyproject.toml that has settings",
        ),
    ] = None,
) -> None:
    """Where an LLM agent's prompt tokens go, and why the prefix cache misses.

    Reads captured traffic, offline: nothing leaves the machine.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
    else:
        install(context, config)


def build() -> Any:
    """The application with every registered verb, as the command object that runs it."""
    app = typer.Typer(
        name=NAME,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        suggest_commands=False,  # click suggests them already
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback(invoke_without_command=True, epilog=EXAMPLES)(_program)
    for name, entry in VERBS.entries.items():
        app.command(name, cls=Verb, short_help=entry.summary)(spelled_out(VERBS.load(name)))
    return equip(get_command(app))


def invoke(argv: list[str]) -> int:
    """Run `argv`. Raises CachelensError, also for what typer complains about."""
    try:
        code = build()(args=argv, prog_name=NAME, standalone_mode=False)
    except _Complaint as error:
        raise _usage_error(error) from error
    return code if isinstance(code, int) else 0


def _usage_error(error: Exception) -> UsageError:
    message = error.format_message() if hasattr(error, "format_message") else str(error)
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else NAME
    option = getattr(error, "param", None)
    place = origin(context, option) if context is not None and option is not None else None
    return UsageError(f"{place}: {message}" if place else message, f"see `{command} --help`")
