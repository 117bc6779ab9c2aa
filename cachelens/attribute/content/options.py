"""Thresholds of the content labels. In: nothing. Out: `LabelOptions`, one frozen object."""

from __future__ import annotations

from dataclasses import dataclass

from cachelens.attribute.content.tools import ToolEntry


@dataclass(frozen=True)
class LabelOptions:
    """What it takes to be labeled. Tokens are those of the text alone, without framing. See docs/labels.md.

    `min_duplicate_tokens`: shortest text that can be a `dup_exact`. `min_echo_tokens`: shortest tool result that
    can be an `echo`, of which `echo_share` of the shingles of `shingle` tokens stand earlier in the prompt.
    `unreferenced_steps`: more assistant turns than these must have followed an `unreferenced` output, which has at
    least `min_unreferenced_tokens` and `min_rare_identifiers`. An identifier is rare in the first `rare_segments` texts
    that hold it. Identifiers are numbers of `number_digits` digits or more, words of `word_characters` or more, and
    symbols (an underscore, an inner capital, letters with digits, a file name) of `symbol_characters` or more.
    `tools`: tried in order before the table of known tools.
    """

    #: Below this a note that a text was left out costs about as much as the text: the definition of the label.
    min_duplicate_tokens: int = 64
    #: The definition of the label.
    echo_share: float = 0.8
    #: The definition of the label: short enough to survive edits of single lines, long enough not to be chance.
    shingle: int = 8
    #: As for duplicates. Without it every "file written" that repeats would be an echo of the one before.
    min_echo_tokens: int = 64
    #: The definition of the label.
    unreferenced_steps: int = 10
    #: As for duplicates: what is shorter is not worth being removed.
    min_unreferenced_tokens: int = 64
    #: Of outputs with one or two, such as a sum, those that were used without being quoted outnumber the others.
    min_rare_identifiers: int = 3
    #: The definition of the label.
    rare_segments: int = 3
    #: The definition of the label.
    number_digits: int = 4
    #: The definition of the label.
    word_characters: int = 6
    #: Names such as `a_b` and `v2` are too short to be told from chance; `_sum`, `ofx2`, `ls.c` are not.
    symbol_characters: int = 4
    tools: tuple[ToolEntry, ...] = ()

    def __post_init__(self) -> None:
        """Raise ValueError for thresholds without meaning."""
        if self.shingle < 1 or not 0 < self.echo_share <= 1:
            raise ValueError("shingles have a length of 1 or more, shares lie in (0, 1]")
        if self.unreferenced_steps < 0 or self.rare_segments < 1:
            raise ValueError("steps are counted from 0, segments from 1")
