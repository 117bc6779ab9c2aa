"""docs/cli.md is made from the program and documents every option with its default."""

from __future__ import annotations

from cachelens.cli.app import build
from tests.cli.make_docs import COMMAND, PATH, document


def test_up_to_date() -> None:
    assert PATH.read_text(encoding="utf-8") == document(), f"make it again with: {COMMAND}"


def test_every_option_has_help_and_a_default() -> None:
    program = build()
    for name, verb in program.commands.items():
        for param in verb.params:
            if param.param_type_name == "option":
                assert param.help, (name, param.name)
                assert (
                    param.is_flag
                    or param.required
                    or param.default is not None
                    or isinstance(param.show_default, str)
                )
                assert param.opts[-1] in document()
