"""CL107: earlier messages that are changed, taken out, put in or moved, and no other rule's matter."""

from __future__ import annotations

from decimal import Decimal

import pytest

from cachelens.advise.candidate import Candidate, Verdict
from cachelens.advise.rules import RULES
from cachelens.pipeline.savings import Bench
from tests.advise.sessions import Json, Session, candidates, case_of, result_of, tool, words

STUB = "[Old tool result content cleared]"
OPENAI = "https://api.openai.com/v1/chat/completions"
#: A picture of one pixel.
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
PICTURE = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}}


def started(name: str = "s", **options: object) -> Session:
    tools = [tool("look_up", what="string")]
    session = Session(name, system=words("system", 80), tools=tools, **options)  # type: ignore[arg-type]
    return session.user("the task: " + words("task", 30))


def pruning(keep: int = 2, steps: int = 6, stub: str = STUB, name: str = "pruned") -> Session:
    """All but the latest `keep` results of tools are cleared with every step."""
    session = started(name)
    for step in range(steps):
        session.steps(1, seed=f"step{step}")
        results = [message for message in session.messages if message["role"] == "tool"]
        for message in results[:-keep]:
            message["content"] = stub
    session.ask()
    return session


def wandering() -> Session:
    """A reminder stands in front of the latest message, and nowhere else."""
    session = started("reminder")
    note: Json = {"role": "user", "content": "<system-reminder>" + words("note", 20) + "</system-reminder>"}
    for step in range(4):
        session.messages.append(note)
        session.steps(1, seed=f"step{step}")
        session.messages.remove(note)
    session.messages.append(note)
    session.ask()
    return session


def resumed() -> Session:
    """After a resume two messages of the user stand the other way round."""
    session = started("reordered").user("also this: " + words("also", 40)).steps(4)
    session.messages[1], session.messages[2] = session.messages[2], session.messages[1]
    session.steps(2, seed="later")
    session.ask()
    return session


def without_images() -> Session:
    """A screenshot gives way to a note that it is gone."""
    session = started("images")
    picture: Json = {"role": "user", "content": [PICTURE, {"type": "text", "text": "what is this?"}]}
    session.messages.append(picture)
    session.steps(4)
    picture["content"] = [{"type": "text", "text": "[image removed]"}, picture["content"][1]]
    session.steps(2, seed="later")
    session.ask()
    return session


def modes(by_user: bool) -> Session:
    """The system prompt says which mode holds; it changes with a message of the user, or by itself."""
    session = started("modes").steps(4)
    session.ask("planned")
    if by_user:
        session.user("do it")
    session.messages[0]["content"] = words("system", 80) + "\nYou may write files now: " + words("rules", 20)
    session.steps(2, seed="later")
    session.ask()
    return session


def fires() -> list[Session]:
    return [pruning(), wandering(), resumed(), without_images(), modes(True), modes(False)]


def near_miss() -> list[Session]:
    """Nothing changed; the conversation goes back a few steps; a result cleared at the very end."""
    plain = started("plain").steps(5)
    plain.ask()
    back = started("back").steps(5)
    del back.messages[-6:]
    back.user("differently, please").steps(2, seed="other")
    back.ask()
    last = started("last").steps(4)
    last.ask()
    return [plain, back, last]


def of(session: Session, **options: object) -> dict[str, Candidate]:
    return {found.group[0]: found for found in candidates("CL107", session, **options)}


def only(session: Session, **options: object) -> Candidate:
    (found,) = candidates("CL107", session, **options)
    return found


@pytest.mark.parametrize(
    ("session", "group"),
    list(zip(fires(), ("pruned", "reminder", "reordered", "images", "system", "system"), strict=True)),
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_each_kind_is_one_cause(session: Session, group: str) -> None:
    case = case_of(session)
    found = {one.group[0]: one for one in RULES.load("CL107")().find(case)}
    assert list(found) == [group]
    one = found[group]
    assert one.tokens == sum(case.lost(request, "divergence") for request in one.requests) > 64
    assert one.plan is not None
    assert {code for code, _ in case.claims.values()} == {"CL107"}


def test_the_remedy_of_pruning_is_the_history_as_it_was() -> None:
    case = case_of(pruning())
    (found,) = RULES.load("CL107")().find(case)
    assert list(found.requests) == [3, 4, 5, 6]
    assert found.details["segments"] == 4
    whole = started("pruned")
    for step in range(6):
        whole.steps(1, seed=f"step{step}")
    whole.ask()
    kept = case_of(whole)
    assert found.plan is not None
    bill = Bench(case, None).bill(found.plan)
    assert (bill.computed, bill.prompt) == (kept.computed, int(kept.work.prompt_tokens.sum()))
    cleared = kept.work.prompt_tokens[-1] - case.work.prompt_tokens[-1]
    assert found.details["tokens cleared"] == cleared
    assert found.changes_input
    assert found.verdict is Verdict.AVOIDABLE
    assert found.break_even is not None


@pytest.mark.parametrize("stub", [STUB, "[12 lines omitted]", "(see above)"])
def test_a_stub_is_told_by_its_words_or_its_length(stub: str) -> None:
    assert only(pruning(stub=stub)).group == ("pruned",)


def test_a_result_that_is_only_corrected_is_not_pruned() -> None:
    session = started("corrected").steps(4)
    session.messages[3]["content"] += "\n" + words("more", 30)
    session.steps(2, seed="later")
    session.ask()
    assert only(session).group == ("changed",)


def test_the_same_text_of_two_calls_stays_each_its_own() -> None:
    """A file read twice, of which the first reading is cleared: nothing moved, one result is pruned."""
    session = started("twice")
    text = words("file", 80)
    session.use("look_up", {"what": "a.txt"}, text, text="first reading")
    session.steps(2)
    session.use("look_up", {"what": "a.txt"}, text, text="second reading")
    session.messages[3]["content"] = STUB
    session.steps(1, seed="later")
    session.ask()
    found = only(session)
    assert found.group == ("pruned",)
    assert found.details["segments"] == 1


@pytest.mark.parametrize(("later", "verdict"), [(2, Verdict.AVOIDABLE), (60, Verdict.LEGITIMATE)])
def test_with_prices_hindsight_decides(later: int, verdict: Verdict) -> None:
    session = started("priced", url=OPENAI, model="gpt-4.1")
    session.steps(10, tokens=800)
    for message in [one for one in session.messages if one["role"] == "tool"][:1]:
        message["content"] = STUB
    session.steps(later, seed="later", tokens=10)
    session.ask()
    case = case_of(session, engine="openai")
    (found,) = RULES.load("CL107")().find(case)
    assert found.verdict is verdict
    again, request = found.tokens, found.requests[0]
    cleared = int(found.details["tokens cleared"])
    carried = cleared * (len(case) - request)
    paid = carried * Decimal("0.5") - again * (Decimal(2) - Decimal("0.5"))
    assert (paid > 0) is (verdict is Verdict.LEGITIMATE)
    assert found.break_even is not None
    assert f"{abs(float(paid)) / 1e6:.4f} USD" in found.break_even
    assert found.break_even.startswith(f"with hindsight clearing {'saved' if paid > 0 else 'cost'}")


def test_where_the_cache_is_short_of_room_the_replay_decides() -> None:
    """Without clearing, two sessions that take turns no longer fit and evict each other."""
    one, other = started("one"), started("other")
    for session in (one, other):
        session.clock += 5 * (session is other)
        session.steps(6, tokens=200)
        for message in [m for m in session.messages if m["role"] == "tool"][:5]:
            message["content"] = STUB
        session.steps(12, seed="later", tokens=10)
        session.ask()
    ample, short = (only_of(one, other, capacity) for capacity in ("inf", "5000"))
    assert ample.verdict is Verdict.AVOIDABLE
    assert short.verdict is Verdict.LEGITIMATE
    assert short.break_even is not None
    assert "short of room" in short.break_even


def only_of(one: Session, other: Session, capacity: str) -> Candidate:
    case = case_of(one, other, engine="lru", capacity=capacity)
    found: list[Candidate] = list(RULES.load("CL107")().find(case))
    assert [one.group for one in found] == [("pruned",)]
    return found[0]


def test_a_system_prompt_may_change_when_the_user_asks() -> None:
    assert only(modes(True)).verdict is Verdict.LEGITIMATE
    assert only(modes(False)).verdict is Verdict.AVOIDABLE


def test_no_other_change_is_excused_by_a_turn_of_the_user() -> None:
    session = started("turn").user("also this: " + words("also", 40)).steps(4)
    session.ask("done")
    session.messages[1], session.messages[2] = session.messages[2], session.messages[1]
    session.user("go on").ask()
    found = only(session)
    assert found.details["at a new user turn"] == 1
    assert found.verdict is Verdict.AVOIDABLE


@pytest.mark.parametrize("session", near_miss(), ids=lambda session: session.name)
def test_nothing_to_say(session: Session) -> None:
    assert candidates("CL107", session) == []


def test_the_whole_analysis_tells_it_without_text() -> None:
    result = result_of(pruning())
    (found,) = (one for one in result.findings if one.code == "CL107")
    assert found.saving is not None
    assert found.saving.computed_tokens > 64
    assert found.location is not None
    assert found.location.component == "tool_result"
    assert found.location.before is None
    assert found.location.previous_digest != found.location.digest
