"""An output is unreferenced when nothing names what it alone says; any later use by the same lineage keeps it."""

from __future__ import annotations

import pytest

from cachelens.attribute.content import LabelOptions

from .sessions import Session, begun


def log(word: str) -> str:
    return f"saw {word}_alpha, {word}_beta and {word}_gamma of 77{len(word)}31 in out/{word[:3]}.log, so all is well"


def grown(session: Session, steps: int, say: str = "Next.") -> None:
    for _ in range(steps):
        session.step("ping", "pong", say=f"{say} {session.at}", n=session.at)


def test_an_output_that_nothing_names_is_unreferenced_after_ten_steps() -> None:
    session = begun()
    output = session.step("check", log("falcon"), what="a")
    grown(session, 10)
    assert session.labels() == []
    since = session.assistant("An eleventh step.")
    assert session.labels() == [(output, "unreferenced", log("falcon"), since, -1)]
    assert session.facts().density == {output: (0, 5)}


@pytest.mark.parametrize("word", ["falcon_beta", "77631", "out/fal.log", "It was falcon_gamma: yes"])
def test_naming_any_rare_identifier_keeps_it(word: str) -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 3)
    session.assistant(word)
    grown(session, 12)
    assert session.labels() == []
    assert next(iter(session.facts().density.values()))[0] >= 1


def test_arguments_name_it_too_behind_their_escapes() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.step("note", "ok", about="see\nfalcon_beta\n")
    grown(session, 12)
    assert session.labels() == []


@pytest.mark.parametrize(
    "word", ["falcon", "falcon_bet", "7763", "falcon_betas", "FALCON_BETA", "Falcon_beta"]
)
def test_near_misses_do_not_name_it(word: str) -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.assistant(word)
    grown(session, 12)
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_what_was_written_before_the_output_or_by_the_user_does_not_count() -> None:
    session = begun()
    session.assistant("Looking for falcon_beta.")
    session.step("check", log("falcon"), what="a")
    session.user("What of falcon_beta?")
    grown(session, 12)
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_the_name_of_the_file_that_was_read_counts_however_common_it_is() -> None:
    session = begun()
    for number in range(4):
        session.user(f"{number}: see common.py")
    session.step("read", log("falcon"), path="src/common.py")
    session.assistant("So common.py is done.")
    grown(session, 12)
    assert session.labels() == []


def test_outputs_without_rare_identifiers_are_not_judged() -> None:
    session = begun()
    for number in range(3):
        session.user(f"{number} {log('falcon')}")
    session.step("check", "So I " + log("falcon"), what="a")
    grown(session, 12)
    assert session.labels("unreferenced") == []
    assert session.facts().density == {}


def test_what_is_used_does_not_become_common_by_being_used() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    for number in range(6):
        session.step(
            "show",
            f"{number}: falcon_beta is there, with all that belongs to it",
            say="falcon_beta",
            n=number,
        )
    grown(session, 12)
    assert session.labels("unreferenced") == []


def test_the_last_reply_counts_and_so_does_history_that_was_rewritten() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    assert session.labels() != []
    session.request(generated=["It was falcon_beta."])
    assert session.labels() == []
    # The output is dropped from the history; afterwards the assistant names it.
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    session.at = 1
    session.user("Summary: all is well.")
    session.assistant("It was falcon_beta.")
    session.request()
    assert session.labels() == []


def test_an_output_that_was_named_stays_so_when_the_history_is_written_anew_without_that() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    session.assistant("It was falcon_beta.")
    session.request()
    session.at = -1
    session.system("Be brief!")
    session.user("Go.")
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    assert session.labels() == []


def test_another_lineage_does_not_use_what_it_cannot_see() -> None:
    session = begun()
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request("main")
    session.at = 0
    session.user("You are another agent.")
    session.assistant("falcon_beta")
    session.request("other")
    assert [label for _, label, *_ in session.labels()] == ["unreferenced"]


def test_history_sent_again_in_other_rows_is_not_said_again() -> None:
    session = begun()
    session.assistant("falcon_beta")
    session.step("check", log("falcon"), what="a")
    session.request()
    session.at = -1
    session.system("Be brief!")
    session.user("Go.")
    session.assistant("falcon_beta")
    session.step("check", log("falcon"), what="a")
    grown(session, 12)
    session.request()
    found = session.labels()
    assert [label for _, label, *_ in found] == ["unreferenced"]
    # Saying it again after the output is another matter.
    session.assistant("falcon_beta")
    session.request()
    assert session.labels() == []


def test_thresholds_are_options() -> None:
    session = begun()
    output = session.step("check", log("falcon"), what="a")
    grown(session, 3)
    found = session.labels(options=LabelOptions(unreferenced_steps=2, min_unreferenced_tokens=10))
    assert [(row, label) for row, label, *_ in found] == [(output, "unreferenced")]
    for options in (
        LabelOptions(unreferenced_steps=2, min_rare_identifiers=6),
        LabelOptions(unreferenced_steps=2, min_unreferenced_tokens=500),
        LabelOptions(unreferenced_steps=3),
    ):
        assert session.labels(options=options) == []
    with pytest.raises(ValueError, match="shingles"):
        LabelOptions(shingle=0)
