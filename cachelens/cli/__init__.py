"""The command line. In: arguments. Out: a report on stdout, everything else on stderr, and an exit code.

0 done, 1 a gate failed, 2 usage, configuration or unreadable input, 3 a bug in cachelens, 130 Ctrl-C;
141 when the reader of stdout went away, as for any program that a broken pipe ends.
"""

from __future__ import annotations

import os
import sys
from types import TracebackType

from cachelens.errors import CachelensError

BUG = 3
INTERRUPTED = 130
BROKEN_PIPE = 141


def main(argv: list[str] | None = None) -> None:
    """Run one command and leave with its exit code. `argv` without the program name; None: `sys.argv`."""
    sys.exit(run(sys.argv[1:] if argv is None else argv))


def run(argv: list[str]) -> int:
    """Run one command and give back its exit code; failures are explained on stderr."""
    try:
        from cachelens.cli.app import invoke

        code = invoke(argv)
        if sys.stdout is not None:
            sys.stdout.flush()
    except CachelensError as error:
        _say(error.message, error.hint)
        return error.exit_code
    except BrokenPipeError:
        _forget_stdout()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return INTERRUPTED
    except SystemExit as leaving:  # how typer ends after completion, and when it meets a broken pipe
        if isinstance(leaving.__context__, BrokenPipeError):
            _forget_stdout()
            return BROKEN_PIPE
        return leaving.code if isinstance(leaving.code, int) else 0
    except BaseException as error:
        _say_bug(error)
        return BUG
    return code


def _say(message: str, hint: str | None) -> None:
    from cachelens.report.untrusted import clean

    _write(f"cachelens: {clean(message, 1000)}\n")
    for line in hint.splitlines() if hint else ():
        _write(f"  {clean(line, 1000)}\n")


def _say_bug(error: BaseException) -> None:
    """Name the place, never the message: it may quote what was captured."""
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    _write(f"bug in cachelens: {type(error).__name__} in {_place(frame)}, please report\n")
    if os.environ.get("CACHELENS_TRACEBACK") == "1":
        import traceback

        cause: BaseException | None = error
        while cause is not None:
            _write("".join(traceback.format_tb(cause.__traceback__)) + type(cause).__name__ + "\n")
            cause = cause.__cause__ or cause.__context__
    else:
        _write("  CACHELENS_TRACEBACK=1 shows where, without any captured text\n")


def _place(frame: TracebackType | None) -> str:
    if frame is None:
        return "an unknown place"
    code = frame.tb_frame.f_code
    return f"{frame.tb_frame.f_globals.get('__name__', '?')}.{code.co_name}, line {frame.tb_lineno}"


def _write(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        encoding = sys.stderr.encoding or "ascii"
        sys.stderr.write(text.encode(encoding, "backslashreplace").decode(encoding))
        sys.stderr.flush()
    except OSError:
        return  # nobody reads stderr: the exit code remains


def _forget_stdout() -> None:
    """Let the flush at interpreter exit find an open file instead of the broken pipe."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)
    os.close(devnull)
