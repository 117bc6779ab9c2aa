"""What was wasted, why, and what would mend it: the parts of a `Result` about waste. Out: JSON, and back."""

from __future__ import annotations

import msgspec


class Bucket(msgspec.Struct, frozen=True, kw_only=True):
    """One of the three kinds of waste, summed over all requests.

    `carried_tokens` stood in prompts; of those `computed_tokens` were not served from cache, for the reasons in
    `causes` (outcome -> tokens). `held_tokens`: what an unlimited cache holds for it, each token once. `cost_usd`
    at the prices of input tokens, served ones included; `flops` of the computed ones; None: no price, no model.
    """

    carried_tokens: int
    computed_tokens: int
    held_tokens: int
    causes: dict[str, int] = {}
    cost_usd: float | None = None
    flops: float | None = None
    held_bytes: float | None = None


class Saving(msgspec.Struct, frozen=True, kw_only=True):
    """What the same trace costs less when a remedy is followed, by replay: tokens computed, tokens sent, money.

    Negative where it costs more. `share` is of all tokens computed without it, `cost_share` of all that was paid
    for input tokens. `cost_usd` None: no price; `flops` None: no model was named.
    """

    computed_tokens: int
    prompt_tokens: int
    share: float
    cost_usd: float | None = None
    cost_share: float | None = None
    flops: float | None = None


class Location(msgspec.Struct, frozen=True, kw_only=True):
    """Where a finding is worst. `component` is a segment kind, `path` the place in the body of the request.

    `message`: number of the message, `char_offset`: characters of the segment's text before it, `token_offset`:
    tokens of the prompt before it; None where there is no such thing. `name`: of the tool, if it is one's.
    `digest` and `previous_digest` name the text on either side without showing it.
    """

    request_id: str
    previous_request_id: str | None = None
    component: str | None = None
    path: str | None = None
    message: int | None = None
    name: str | None = None
    char_offset: int | None = None
    token_offset: int | None = None
    digest: str | None = None
    previous_digest: str | None = None
    before: str | None = None
    now: str | None = None


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One cause of waste. See `cachelens.advise.candidate.Candidate` for where each part comes from.

    `verdict`: `avoidable`, `legitimate` or `diagnostic`. `requests`: how many it spoiled, of which `request_ids`
    are the first. `tokens` are what it is about, and `measure` says which. `saving` None: there is nothing to
    replay. `left_out`: tokens computed more when of all remedies this one alone is left out; None unless causes
    hide one another. `changes_input`: the model would see other text, so the saving is an upper bound.
    `fingerprint`: equal for the same cause in another run.
    """

    code: str
    name: str
    title: str
    verdict: str
    location: Location | None
    requests: int
    request_ids: tuple[str, ...]
    sessions: int
    tokens: int
    measure: str
    saving: Saving | None
    changes_input: bool
    fix: str
    fingerprint: str
    left_out: int | None = None
    break_even: str | None = None
    details: dict[str, int | float | str] = {}


class Remedies(msgspec.Struct, frozen=True, kw_only=True):
    """All remedies in one replay: they overlap, so their savings do not add up.

    `excluded`: codes of remedies that are left out of it, since with the others they do more harm than good.
    `same_input`: only those that leave what the model sees as it is. `what_if`: those of the rules that were
    asked for, by code. None: there is no such remedy.
    """

    all_together: Saving | None = None
    excluded: tuple[str, ...] = ()
    same_input: Saving | None = None
    what_if: Saving | None = None
    what_if_codes: tuple[str, ...] = ()


class Confusion(msgspec.Struct, frozen=True, kw_only=True):
    """How the simulated cache compares with what servers reported.

    `told`: requests whose server reported cached tokens; `as_expected`, `less` (cached than simulated) and `more`
    are their numbers. `less_tokens`, `more_tokens`: by how many tokens of the server's own count. Of `less` and
    `more`, `explained[why]` requests have an explanation, by its slug, and `unexplained` have none, which are
    `unexplained_tokens` apart. `reasons[ours][theirs]`: requests whose server gave a reason for missing, by what
    the simulation says broke or hid the prefix and by that reason.
    """

    told: int
    as_expected: int
    less: int
    more: int
    less_tokens: int
    more_tokens: int
    unexplained: int
    unexplained_tokens: int = 0
    explained: dict[str, int] = {}
    reasons: dict[str, dict[str, int]] = {}
