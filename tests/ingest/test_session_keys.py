"""Where explicit session keys are found."""

from __future__ import annotations

import json

import msgspec
import pytest

from cachelens.ingest.dialects.base import Body
from cachelens.ingest.session_keys import session_keys


def key(
    body: dict[str, object], headers: dict[str, str] | None = None, given: str | None = None
) -> str | None:
    return session_keys(msgspec.json.decode(json.dumps(body), type=Body), headers or {}, given)[0]


@pytest.mark.parametrize(
    "body",
    [
        {"metadata": {"user_id": "user_0a1b_account_9_session_K"}},
        {"metadata": {"user_id": '{"device_id": "d", "session_id": "K"}'}},
        {"metadata": {"session_id": "K"}},
        {"session_id": "K"},
        {"conversation": "K"},
        {"conversation": {"id": "K"}},
    ],
)
def test_keys_in_bodies(body: dict[str, object]) -> None:
    assert key(body) == "K"
    assert key(body, {"x-session-id": "H"}) == "H"
    assert key(body, {"x-session-id": "H"}, "C") == "C"


@pytest.mark.parametrize(
    "body",
    [{}, {"metadata": {"user_id": "someone"}}, {"metadata": None}, {"metadata": "x"}, {"session_id": 7}]
    + [{"metadata": {"user_id": text}} for text in ("{broken", "[]", "")],
)
def test_no_key(body: dict[str, object]) -> None:
    assert key(body) is None


def test_a_cache_key_is_a_session_only_when_it_was_made_for_one() -> None:
    unique = "01a20bc5-7bf1-7cb3-b240-0f04ae825c4d"
    assert key({"prompt_cache_key": unique}) == unique
    assert key({"prompt_cache_key": "my-app"}) is None


def test_parent_sessions() -> None:
    assert session_keys(Body(), {"x-session-id": "a", "x-parent-session-id": "b"}, None) == ("a", "b")
