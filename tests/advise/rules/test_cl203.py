"""CL203 oversized-tool-output."""

from __future__ import annotations

from tests.advise.rules.outputs import saving, tokens_of
from tests.advise.sessions import Session, candidates, case_of, words

_LOG = words("server log", 1500)


def fires() -> list[Session]:
    """A log of more than 2,000 tokens at the first step of five."""
    session = Session("log").user("why did it stop?")
    session.use("cat_log", {"name": "server"}, _LOG)
    return [session.steps(4)]


def near_miss() -> list[Session]:
    """A long output in prompts to which it is little; and one of fewer than 2,000 tokens."""
    long = Session("long", system=words("rules", 9000)).user("go").steps(4)
    long.use("cat_log", {"name": "server"}, _LOG)
    long.ask("done")
    short = Session("short", start=1_800_001_000.0).user("go")
    short.use("cat_log", {"name": "server"}, words("short log", 800))
    return [long, short.steps(4)]


def test_tokens_are_those_of_all_prompts_that_carry_it() -> None:
    case = case_of(*fires())
    (found,) = candidates("CL203", *fires())
    size = tokens_of(_LOG)
    assert size > 2000
    assert found.tokens == size * 4
    assert list(found.requests) == [1, 2, 3, 4]
    share = found.tokens / int(case.work.prompt_tokens.sum())
    assert found.details["share of its session"] == round(share, 4)
    assert f"{size:,} tokens long" in found.title
    assert f"{100 * share:.1f} %" in found.title
    assert found.group == ("outputs",)
    assert found.details["outputs"] == 1
    assert found.place is not None
    assert case.text(found.place.row) == _LOG
    saved = saving(case, found)
    assert saved.prompt_tokens == (size - 2000) * 4
    assert saved.computed_tokens == size - 2000


def test_small_shares_and_short_outputs_do_not_count() -> None:
    assert tokens_of(words("short log", 800)) < 2000
    assert candidates("CL203", *near_miss()) == []


def test_shares_are_of_the_session_and_thresholds_move() -> None:
    (found,) = candidates("CL203", *near_miss(), thresholds={"oversized_share": "0.01"})
    assert found.details["largest"] == tokens_of(_LOG)
    found_short = candidates("CL203", *near_miss(), thresholds={"output_tokens": "1000"})
    assert [one.details["largest"] for one in found_short] == [tokens_of(words("short log", 800))]
    # A large session beside it makes the share no smaller.
    beside = Session("beside", system=words("many", 9000), start=1_800_002_000.0).user("go").steps(6)
    (same,) = candidates("CL203", *fires(), beside)
    (alone,) = candidates("CL203", *fires())
    assert same.details["share of its session"] == alone.details["share of its session"]


def test_one_finding_with_the_longest_in_its_title() -> None:
    session = Session("two").user("go")
    session.use("cat_log", {"name": "a"}, words("log a", 1600))
    session.use("cat_page", {"name": "b"}, words("log b", 3000))
    (found,) = candidates("CL203", session.steps(3))
    assert found.details["outputs"] == 2
    assert found.details["tools"] == "cat_log, cat_page"
    assert found.title.startswith("2 outputs fill the prompts; one output of cat_page is ")
    assert f"{tokens_of(words('log b', 3000)):,} tokens long" in found.title
    assert found.tokens == 5 * 0 + 4 * tokens_of(words("log a", 1600)) + 3 * tokens_of(words("log b", 3000))


def test_an_output_is_one_wherever_a_changed_history_puts_it() -> None:
    session = Session("moved", system="day one").user("go")
    session.use("cat_log", {"name": "server"}, _LOG)
    session.ask("one")
    session.messages[0]["content"] = "day two"
    session.user("more").ask("two")
    (found,) = candidates("CL203", session)
    assert found.details["outputs"] == 1
    assert found.tokens == 2 * tokens_of(_LOG)
    assert found.plan is not None
    assert len(found.plan.shorten) == 2


def test_density_counts_what_was_used_later() -> None:
    session = Session("used").user("go")
    session.use("cat_log", {"name": "server"}, _LOG + "\nrequest_identifier_4711 failed")
    session.ask("it was request_identifier_4711")
    session.user("more").ask("done")
    (found,) = candidates("CL203", session)
    assert found.details["of those used later"] == 1
    assert int(found.details["rare identifiers"]) > 1
