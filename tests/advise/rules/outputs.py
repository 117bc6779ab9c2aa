"""What the tests of rules about tool outputs share. In: texts and candidates. Out: token counts, replayed savings."""

from __future__ import annotations

from cachelens.advise.candidate import Candidate
from cachelens.advise.case import Case
from cachelens.advise.rewrite import STUB_TOKENS
from cachelens.model.findings import Saving
from cachelens.pipeline.savings import Bench
from cachelens.tokens.encodings import load_encoding

__all__ = ["STUB_TOKENS", "saving", "tokens_of"]


def tokens_of(text: str) -> int:
    """Tokens of a text alone, counted by the encoding itself."""
    return len(load_encoding("o200k_base").encode(text, disallowed_special=()))


def saving(case: Case, candidate: Candidate) -> Saving:
    """What the remedy saves, by replay."""
    assert candidate.plan is not None
    return Bench(case, None).saving(candidate.plan)
