"""The event-stream reader."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cachelens.ingest.sse import Event, events

_LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=("Cs",)), max_size=12)
_EVENTS = st.lists(st.tuples(_LINE, st.lists(_LINE, min_size=1, max_size=3)), max_size=5)


def _spell(given_events: list[tuple[str, list[str]]], end: str) -> bytes:
    lines = []
    for name, data in given_events:
        lines += [": a comment", f"event: {name}", *(f"data: {line}" for line in data), "id: 7", ""]
    return "".join(line + end for line in lines).encode()


@given(_EVENTS, st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_events_come_back_whatever_the_line_ends(
    given_events: list[tuple[str, list[str]]], end: str, marked: bool
) -> None:
    body = (b"\xef\xbb\xbf" if marked else b"") + _spell(given_events, end)
    assert list(events(body)) == [Event(name, "\n".join(data).encode()) for name, data in given_events]


@given(_EVENTS, st.sampled_from(["\n", "\r\n"]), st.data())
def test_a_stream_cut_anywhere_loses_only_what_was_cut(
    given_events: list[tuple[str, list[str]]], end: str, data: st.DataObject
) -> None:
    body = _spell(given_events, end)
    whole = list(events(body))
    found = list(events(body[: data.draw(st.integers(0, len(body)))]))
    assert len(found) <= len(whole)
    assert found[:-1] == whole[: max(0, len(found) - 1)]
    if found:
        assert whole[len(found) - 1].data.startswith(found[-1].data)


@given(st.binary(max_size=60))
def test_any_bytes_are_a_stream(body: bytes) -> None:
    for event in events(body):
        assert b"\r" not in event.data


def test_fields_as_the_standard_reads_them() -> None:
    body = b"data:no space\ndata:  two\ndata\nretry: 5\nevent:x\n\nevent: lost without data\n\ndata: end"
    assert list(events(body)) == [Event("x", b"no space\n two\n"), Event("", b"end")]
