"""Servers that say what they served. In: a session, its cached tokens. Out: the session with usage in its responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tests.advise.sessions import Session, trace_of


def prompt_tokens(*sessions: Session) -> list[int]:
    """Prompt tokens of each request of the sessions, in order of start."""
    found: list[int] = trace_of(*sessions).requests["prompt_tokens"].to_list()
    return found


def report(
    session: Session, cached: Sequence[int | None], scale: Callable[[int], int] = lambda n: n
) -> Session:
    """Have the server report `cached` tokens for each request (None: nothing), and its prompts by `scale`.

    Both in Chat Completions' usage.
    """
    for call, tokens, prompt in zip(session.calls, cached, prompt_tokens(session), strict=True):
        if tokens is not None:
            call.response["usage"] = {
                "prompt_tokens": scale(prompt),
                "completion_tokens": 5,
                "prompt_tokens_details": {"cached_tokens": tokens},
            }
    return session
