"""The analysis gives back what was planted: the cause, where it is, and its tokens; and nothing else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cachelens.advise.rewrite import STUB_TOKENS
from cachelens.advise.rules.cl406_non_prefix_reuse import MIN_SEGMENT
from cachelens.model.findings import Finding
from cachelens.model.result import Result
from tests.advise.sessions import result_of
from tests.truth.plant import (
    CAUSES,
    CONTENTS,
    Failed,
    Oversized,
    Unreferenced,
    WriteEcho,
    never,
    possible,
)
from tests.truth.story import (
    LENGTH,
    Account,
    Cause,
    Story,
    accounts,
    first_difference,
    put_in,
    requests_of,
    step_of,
    story,
    tokens_of,
    whole_again,
)

#: Nothing is too little to be told, but what takes fewer than 64 tokens.
TOLD = {"min_share": "0", "carried_share": "0"}
#: Where in a body each cause is.
PLACES = {
    "clock": "messages[0].content",
    "nonce": "messages[0].content[0].text",
    "reorder": "tools[3]",
    "description": "tools[1]",
    "new tool": "tools[3]",
    "pruned": "messages[3].content",
    "window": "messages[1].content",
    "compacted": "messages[2].content",
    "directory": "messages[0].content",
    "forgotten": "messages[2].reasoning_content",
    "unfaithful": "messages[14].content",
    "respelled": "messages[1].content",
}


def computed(found: list[Account]) -> int:
    return sum(account.prompt - account.hit for account in found)


def ids(result: Result, requests: list[int]) -> tuple[str, ...]:
    return tuple(result.requests[at].request_id for at in requests)


def only(result: Result, *codes: str) -> list[Finding]:
    """The findings, of which there are those with these codes and no other."""
    assert sorted(finding.code for finding in result.findings) == sorted(codes)
    return [next(finding for finding in result.findings if finding.code == code) for code in codes]


def test_a_clean_session_has_no_findings() -> None:
    result = result_of(story("one"), story("two", start=1_800_000_003.0), thresholds=TOLD)
    assert only(result) == []
    assert result.labels["live"] == result.totals.prompt_tokens


@pytest.mark.parametrize("name", CAUSES)
def test_a_cause_that_breaks_prefixes(name: str) -> None:
    cause = CAUSES[name]()
    planted = [story("one", [cause]), story("two", [never(name)], start=1_800_000_003.0)]
    twins = [story("one", [never(name)]), story("two", [never(name)], start=1_800_000_003.0)]
    result = result_of(*planted, thresholds=TOLD)
    truth, new = accounts(planted), put_in(planted, twins)
    lost = [at for at, account in enumerate(truth) if account.again]
    apart = whole_again(planted, MIN_SEGMENT)
    finding, *rest = only(result, cause.code, *(["CL406"] if apart else []))
    assert finding.request_ids == ids(result, lost)
    assert finding.requests == len(lost)
    again = sum(account.again for account in truth)
    # The new prefix of a compaction counts with its summary, and an echo with the token that was sampled last.
    more = {"compacted": new[lost[0]], "unfaithful": 1}
    assert finding.tokens == again + more.get(name, 0)
    place = finding.location
    assert place is not None
    assert place.path == PLACES[name]
    worst = next(at for at in lost if result.requests[at].request_id == place.request_id)
    if place.token_offset is not None:
        # The first token that differs; or where the piece begins that is another one, and may begin alike.
        assert place.token_offset in first_difference(planted, worst)
    if name == "compacted":
        assert finding.saving is None
    else:
        assert finding.saving is not None
        less = computed(truth) - computed(accounts(twins))
        assert finding.saving.computed_tokens == less - (0 if cause.silent else sum(new))
    for diagnostic in rest:
        assert diagnostic.tokens == sum(apart.values())
        assert diagnostic.request_ids == ids(result, sorted(apart))


def carried(text: str, first: int, last: int = LENGTH) -> tuple[int, list[int]]:
    """Tokens of a text in requests `first` to the last of story one; and these requests among all."""
    return tokens_of(text) * (last - first), [2 * at for at in range(first, last)]


def test_the_same_output_twice() -> None:
    result = result_of(
        story("one", [CONTENTS["same output"]()]), story("two", start=1_800_000_003.0), thresholds=TOLD
    )
    (finding,) = only(result, "CL201")
    text = step_of("one", 0).output
    tokens, requests = carried(text, 7)
    assert (finding.tokens, finding.request_ids) == (tokens, ids(result, requests))
    assert result.labels["dup_exact"] == tokens
    assert finding.location is not None
    assert finding.location.path == "messages[15].content"
    assert finding.saving is not None
    assert finding.saving.computed_tokens == tokens_of(text) - STUB_TOKENS
    assert finding.saving.prompt_tokens == 3 * (tokens_of(text) - STUB_TOKENS)


def test_the_same_call_twice() -> None:
    result = result_of(
        story("one", [CONTENTS["same call"]()]), story("two", start=1_800_000_003.0), thresholds=TOLD
    )
    (finding,) = only(result, "CL201")
    tokens, requests = carried(step_of("one", 0).output, 7)
    assert (finding.tokens, finding.request_ids) == (tokens, ids(result, requests))
    assert result.labels["dup_call"] == tokens
    assert finding.location is not None
    assert finding.location.path == "messages[3].content"
    assert finding.saving is None  # to clear it would break a prefix for three requests


def test_a_file_read_twice() -> None:
    result = result_of(
        story("one", [CONTENTS["reread"]()]), story("two", start=1_800_000_003.0), thresholds=TOLD
    )
    text = step_of("one", 2).output
    tokens, requests = carried(text, 7)
    for finding in only(result, "CL202"):
        assert (finding.tokens, finding.request_ids) == (tokens, ids(result, requests))
        assert finding.location is not None
        assert finding.location.path == "messages[15].content"
        assert finding.saving is not None
        assert finding.saving.computed_tokens == tokens_of(text) - STUB_TOKENS
    assert result.remedies.all_together is not None
    assert result.remedies.all_together.computed_tokens == tokens_of(text) - STUB_TOKENS


def test_a_failed_command_that_ran_again() -> None:
    cause = Failed()
    planted = story("one", [cause])
    result = result_of(planted, story("two", start=1_800_000_003.0), thresholds=TOLD)
    (finding,) = only(result, "CL205")
    tokens, requests = carried(cause.output(planted), 8)
    (call,) = (piece for piece in planted.sent[1].reply if "tool_calls" in piece.path)
    assert finding.tokens == tokens + 2 * len(call.ids)
    assert finding.request_ids == ids(result, requests)
    assert finding.location is not None
    assert finding.location.path == "messages[5].content"


def test_a_write_that_comes_back() -> None:
    cause = WriteEcho()
    planted = story("one", [cause])
    result = result_of(planted, story("two", start=1_800_000_003.0), thresholds=TOLD)
    (finding,) = only(result, "CL206")
    tokens, requests = carried(cause.output(planted), 8)
    assert (finding.tokens, finding.request_ids) == (tokens, ids(result, requests))
    assert result.labels["echo"] == tokens
    assert finding.saving is not None
    assert finding.saving.computed_tokens == tokens_of(cause.output(planted)) - STUB_TOKENS


def test_an_output_that_is_too_long() -> None:
    cause = Oversized()
    planted = story("one", [cause])
    result = result_of(planted, story("two", start=1_800_000_003.0), thresholds=TOLD)
    (finding,) = only(result, "CL203")
    tokens, requests = carried(cause.output(planted), 2)
    assert (finding.tokens, finding.request_ids) == (tokens, ids(result, requests))
    assert finding.saving is not None
    assert finding.saving.computed_tokens == tokens_of(cause.output(planted)) - 2000


def test_a_tool_that_is_never_called() -> None:
    planted = [
        story("one", [CONTENTS["unused"]()]),
        story("two", [CONTENTS["unused"]()], start=1_800_000_003.0),
    ]
    result = result_of(*planted, thresholds=TOLD)
    (finding,) = only(result, "CL204")
    (definition,) = (piece for piece in planted[0].sent[0].prompt if piece.slot == "tool/never_called")
    assert finding.tokens == len(definition.ids) * 2 * LENGTH
    assert finding.requests == 2 * LENGTH
    assert finding.location is not None
    assert finding.location.path == definition.path
    assert finding.saving is not None
    # Both sessions share the head, so it was computed once.
    assert finding.saving.computed_tokens == len(definition.ids)


def test_an_output_that_nobody_refers_to() -> None:
    cause, length = Unreferenced(), 16
    planted = story("one", [cause], length=length)
    result = result_of(planted, thresholds=TOLD)
    (finding,) = only(result, "CL301")
    # It is older than ten steps once eleven replies have followed it: those to the requests 2 to 12.
    first = cause.at + 12
    assert finding.tokens == tokens_of(cause.output(planted)) * (length - first)
    assert finding.request_ids == ids(result, list(range(first, length)))
    assert result.labels["unreferenced"] == finding.tokens


class _Pause(Cause):
    """Twenty minutes pass before request `at`."""

    at = 6

    def before(self, story: Story, number: int) -> None:
        if number == self.at:
            story.clock += 1200.0


#: Traffic of an API whose cache needs a marker, and one that is asked for at the end of every prompt.
API: dict[str, Any] = {"model": "claude-sonnet-4-5", "url": "https://api.anthropic.com/v1/chat/completions"}
MARKED: dict[str, Any] = {**API, "extra": {"cache_control": {"type": "ephemeral"}}}


def test_a_pause_that_is_longer_than_entries_live() -> None:
    planted = [story("one", [_Pause()], **MARKED), story("two", start=1_800_000_003.0, **MARKED)]
    result = result_of(*planted, engine="anthropic", thresholds=TOLD)
    (finding,) = only(result, "CL402")
    # What is lost is what the request before the pause wrote: all of its prompt, and nothing of its reply.
    assert finding.tokens == planted[0].sent[_Pause.at - 1].tokens
    late = planted[0].sent[_Pause.at].start
    assert finding.request_ids == ids(result, [[sent.start for sent in requests_of(planted)].index(late)])
    assert result.totals.outcomes["expiry"] == finding.tokens


def test_no_marker_where_one_would_pay() -> None:
    planted = story("one", **API)
    result = result_of(planted, engine="anthropic", thresholds=TOLD)
    (finding,) = only(result, "CL403")
    assert finding.tokens == sum(sent.tokens for sent in planted.sent[:-1])
    assert finding.request_ids == ids(result, list(range(1, LENGTH)))
    assert finding.saving is not None
    assert finding.saving.computed_tokens == finding.tokens
    assert only(result_of(story("one", **MARKED), engine="anthropic", thresholds=TOLD)) == []


def _least_recently_used(stories: list[Story], capacity: int) -> list[int]:
    """Hit tokens of each request in a stack of tokens, played token by token."""
    numbers: dict[tuple[int, int], int] = {}
    held: OrderedDict[int, None] = OrderedDict()
    hits = []
    for sent in requests_of(stories):
        node, path = -1, []
        prompt = [token for piece in sent.prompt for token in piece.ids]
        reply = [token for piece in sent.reply for token in piece.ids]
        for token in (*prompt, *reply[:-1]):
            node = numbers.setdefault((node, token), len(numbers))
            path.append(node)
        hits.append(next((at for at in range(len(prompt)) if path[at] not in held), len(prompt)))
        for node in reversed(path):
            held[node] = None
            held.move_to_end(node)
        while len(held) > capacity:
            held.popitem(last=False)
    return hits


def test_a_cache_that_is_too_small() -> None:
    planted = [story("one"), story("two", start=1_800_000_003.0)]
    result = result_of(*planted, engine="lru", capacity="6000", thresholds=TOLD)
    (finding,) = only(result, "CL401")
    hits = _least_recently_used(planted, 6000)
    assert [row.outcomes.get("hit", 0) for row in result.requests] == hits
    lost = [account.hit - hit for account, hit in zip(accounts(planted), hits, strict=True)]
    assert finding.tokens == sum(lost)
    assert finding.request_ids == ids(result, [at for at, tokens in enumerate(lost) if tokens])
    needed = finding.details["capacity needed"]
    assert isinstance(needed, int)

    def left(capacity: int) -> int:
        played = _least_recently_used(planted, capacity)
        return sum(account.hit - hit for account, hit in zip(accounts(planted), played, strict=True))

    assert left(needed) <= sum(lost) * 0.1 < left(needed - 1)
    assert finding.saving is not None
    assert finding.saving.computed_tokens == sum(lost) - left(needed)


@pytest.mark.parametrize("prefix", ["clock", "new tool", "respelled"])
@pytest.mark.parametrize("name", ["same output", "same call", "reread", "failed", "write echo", "oversized"])
def test_what_tools_answer_is_the_same_waste_where_prefixes_break(name: str, prefix: str) -> None:
    def found(*causes: Cause) -> Result:
        two = story("two", [never(prefix)], start=1_800_000_003.0)
        return result_of(story("one", causes), two, thresholds=TOLD)

    def told(result: Result) -> dict[str, tuple[int, tuple[str, ...]]]:
        return {one.code: (one.tokens, one.request_ids) for one in result.findings}

    alone, broken = told(found(CONTENTS[name](), never(prefix))), told(found(CAUSES[prefix]()))
    both = found(CONTENTS[name](), CAUSES[prefix]())
    apart = {code: figures for code, figures in told(both).items() if code not in broken}
    assert told(both).keys() - {"CL406"} == alone.keys() | broken.keys()
    apart.pop("CL406", None)  # a long output behind a change
    assert apart == alone
    again = sum(account.again for account in accounts([story("one", [CONTENTS[name](), CAUSES[prefix]()])]))
    assert told(both)[CAUSES[prefix]().code][0] == again


#: Codes of findings made of edits.
_EDITS = {CAUSES[name]().code for name in CAUSES}


def mixed(names: Sequence[str], others: Sequence[str]) -> None:
    """What holds of any causes together: every lost token is one finding's, and no finding is of another cause.

    Each of two sessions has its own causes, and is prepared for those of the other, so that both begin alike.
    """
    planted, twins = (
        [
            story(
                "one",
                [*(make(name) for name in names), *(never(name) for name in others if name not in names)],
            ),
            story(
                "two",
                [*(never(name) for name in names if name not in others), *(make(name) for name in others)],
                start=1_800_000_003.0,
            ),
        ]
        for make in (lambda name: CAUSES[name](), never)
    )
    result = result_of(*planted, thresholds={**TOLD, "min_tokens": "0"})
    truth, new = accounts(planted), put_in(planted, twins)
    columns = ("hit", "divergence", "fresh")
    assert [
        Account(row.prompt_tokens, *(row.outcomes.get(name, 0) for name in columns))
        for row in result.requests
    ] == truth
    causes = [CAUSES[name]() for name in (*names, *others)]
    codes = {cause.code for cause in causes}
    assert {finding.code for finding in result.findings} <= codes | {"CL406"}
    lost = [at for at, account in enumerate(truth) if account.again]
    own = [finding for finding in result.findings if finding.code in _EDITS]
    assert {one for finding in own for one in finding.request_ids} == set(ids(result, lost))
    if not codes & {"CL109", "CL112"}:  # they count more than what had been computed before
        assert sum(finding.tokens for finding in own) == sum(account.again for account in truth)
    if lost and "CL109" not in codes:
        assert result.remedies.all_together is not None
        saved = result.remedies.all_together.computed_tokens
        most = computed(truth) - computed(accounts(twins))
        loud = not all(cause.silent for cause in causes)
        quiet = not any(cause.silent for cause in causes)
        assert most - (sum(new) if loud else 0) <= saved <= most - (sum(new) if quiet else 0)


@pytest.mark.parametrize("names", [pair for pair in combinations(CAUSES, 2) if possible(pair)])
def test_two_causes(names: tuple[str, ...]) -> None:
    mixed(names, names[:1])


NAMES = st.lists(st.sampled_from(sorted(CAUSES)), unique=True)


@settings(max_examples=15, deadline=None)
@given(st.tuples(NAMES, NAMES).filter(lambda both: possible(tuple({*both[0], *both[1]}))))
def test_any_causes(both: tuple[list[str], list[str]]) -> None:
    mixed(*both)
