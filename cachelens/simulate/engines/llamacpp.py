"""llama.cpp's server: one sequence a slot, and copies of whole sequences in RAM.

In: a workload, the context of the server in tokens, and as a tier the RAM prompt cache. Out: tokens served.
There is no tree: a slot holds the tokens it computed last, a request reuses what it has in common with the
start of one slot, and what lay behind is overwritten. Before much of a slot is lost its sequence is copied
to RAM, from where a request that fits it better takes it back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Final, NamedTuple

import numpy as np

from cachelens.errors import UsageError
from cachelens.prefix.paths import Ranges, common_pages
from cachelens.simulate.capacity import LARGEST
from cachelens.simulate.engine import Facts, Replay, Setup, Source
from cachelens.simulate.losses import Losses
from cachelens.simulate.options import chosen, engine_options
from cachelens.simulate.serve import serve
from cachelens.simulate.workload import Workload

# The server compares 32-bit floats; so does the replay, since thresholds are met exactly in practice.
_HALF = np.float32(0.5)
_QUARTER = np.float32(0.25)
_NO_RAM = (
    "no RAM prompt cache, as with --cache-ram 0; llama-server itself has one of 8,192 MiB unless told otherwise "
    "(--tier ram:8gib, with --model)"
)


@dataclass(frozen=True)
class Options:
    """`slots`: requests that run at a time (`--parallel`). `unified`: they share one pool of cells (`--kv-unified`).

    `slot_prompt_similarity`: share of a prompt that a slot must have in common with it to be preferred; 0
    prefers none. `cache_idle_slots`: idle slots are copied to RAM when a request starts, and cleared if
    `unified`; needs a RAM cache.
    """

    slots: int = 4
    unified: bool = True
    slot_prompt_similarity: float = 0.1
    cache_idle_slots: bool = True


class _Text(NamedTuple):
    """A token list: the first `tokens` tokens of a path."""

    ranges: Ranges
    tokens: int


_EMPTY: Final = _Text((), 0)


def _common(a: _Text, b: _Text) -> int:
    return common_pages(a.ranges, b.ranges)


def _share(part: int, whole: int) -> np.float32:
    return np.float32(np.float32(part) / np.float32(whole))


@dataclass(slots=True)
class _Slot:
    """`text`: what it holds. `released`: when it last became idle, -1 if never. `request` runs in it, or None."""

    text: _Text = _EMPTY
    released: int = -1
    request: int | None = None


class _PromptCache:
    """Sequences in RAM, oldest first, together at most `limit` tokens. `dropped` tokens had to go so far.

    `losses`, if given, is told which.
    """

    def __init__(self, limit: int, entries: list[_Text] | None = None, losses: Losses | None = None) -> None:
        self.limit = limit
        self._losses = losses
        self.entries = entries or []
        self.dropped = 0

    def save(self, text: _Text) -> bool:
        """Copy a sequence; whether RAM holds it now. Entries that it contains are of no further use."""
        common = [_common(entry, text) for entry in self.entries]
        if text.tokens in common:
            return True
        if text.tokens > self.limit:
            return False
        self.entries = [e for e, same in zip(self.entries, common, strict=True) if same < e.tokens]
        held = sum(entry.tokens for entry in self.entries)
        while held + text.tokens > self.limit:
            oldest = self.entries.pop(0)
            held -= oldest.tokens
            self.dropped += oldest.tokens
            if self._losses is not None:
                self._losses.lose(oldest.ranges, 0, oldest.tokens)
        self.entries.append(text)
        return True

    def better(self, held: _Text, prompt: _Text) -> int | None:
        """The entry that has more in common with `prompt` than `held` has, in proportion to both; None if none."""
        common = _common(held, prompt)
        keep = _share(common, held.tokens) if held.tokens else np.float32(-1)
        similar = _share(common, prompt.tokens)
        best = None
        for number, entry in enumerate(self.entries):
            common = _common(entry, prompt)
            if not common:
                continue
            entry_keep, entry_similar = _share(common, entry.tokens), _share(common, prompt.tokens)
            if entry_keep >= _QUARTER and entry_keep > keep and entry_similar > similar:
                best, keep, similar = number, entry_keep, entry_similar
        return best


class Llamacpp:
    """llama-server with full attention."""

    Options = Options
    facts: ClassVar[Facts] = Facts(
        name="llamacpp",
        title="llama.cpp server slots",
        kind="server",
        page_size=1,
        page_sizes=(1,),
        policies=(),
        keeps_output=True,
        order="system-first",
        tiers=1,
        sources=(
            Source(
                "get_available_slot, launch of a task, release of a slot: tools/server/server-context.cpp@001d906a",
                "https://github.com/ggml-org/llama.cpp/blob/001d906a6d86e2490e394361e7cc6f478b100088/tools/server/server-context.cpp",
                "2026-11-24",
            ),
            Source(
                "server_prompt_cache: tools/server/server-task.cpp@00efb3e1 (older), and later forks of it",
                "https://github.com/ggml-org/llama.cpp/blob/00efb3e184262872916bf136b3df63c1822a19bd/tools/server/server-task.cpp",
                "2026-11-24",
            ),
        ),
        unknown=(
            "Not compared with the real server: read from its source.",
            "Slots that run are taken to hold all they will generate from their start, and a request waits when "
            "they leave no room; the real server starts it and fails requests when the cells run out.",
            "Sliding windows, recurrent layers with their checkpoints, --cache-reuse, --context-shift and slots "
            "asked for by number are not modeled.",
        ),
    )

    def __init__(self, workload: Workload, setup: Setup) -> None:
        options = engine_options(Options, setup, self.facts)
        chosen(setup, self.facts)
        if options.slots < 1:
            raise UsageError("llamacpp: slots must be at least 1")
        if not 0 <= options.slot_prompt_similarity <= 1:
            raise UsageError("llamacpp: slot_prompt_similarity is a share from 0 to 1")
        capacity = setup.capacity_tokens
        if capacity is not None and not options.unified and capacity < options.slots:
            raise UsageError(
                f"llamacpp: a context of {capacity:,} tokens cannot be divided among {options.slots:,} slots",
                "give a larger --capacity, or fewer slots",
            )
        self._work = workload
        self._concurrent = setup.concurrent
        self._pool = capacity if options.unified else None
        self._context = capacity if capacity is None or options.unified else capacity // options.slots
        self._similar = np.float32(options.slot_prompt_similarity)
        self.slots = [_Slot() for _ in range(options.slots)]
        ram = setup.tiers[0].capacity_tokens if setup.tiers else 0
        self._tier = setup.tiers[0].name if setup.tiers else None
        self._losses = Losses(len(workload)) if setup.explain else None
        self.ram = _PromptCache(ram, losses=self._losses) if ram else None
        self._cache_idle = options.cache_idle_slots and self.ram is not None
        self._clear_idle = self._cache_idle and options.unified
        self._paths = workload.paths(1)
        self._nodes: list[int] = workload.kept.tolist()
        self._prompt: list[int] = workload.prompt_tokens.tolist()
        self._kept: list[int] = workload.kept_tokens.tolist()
        if self._context is not None:
            # Generation stops one token before the context is full.
            most = self._context - 1
            self._kept = [max(min(kept, most), n) for kept, n in zip(self._kept, self._prompt, strict=True)]
        self._clock = 0
        self._lost = 0
        self._from_ram = np.zeros(len(workload), dtype=np.int64)

    @classmethod
    def relaxed(cls, setup: Setup) -> tuple[tuple[str, Setup], ...]:
        """With contexts, and a RAM cache if there is one, without bounds; slots still hold one sequence each."""
        tiers = tuple(replace(tier, capacity_tokens=LARGEST) for tier in setup.tiers if tier.capacity_tokens)
        free = replace(setup, capacity_tokens=None, tiers=tiers)
        if setup.capacity_tokens is None and tiers == setup.tiers:
            return ()
        return (("capacity", free),)

    def replay(self) -> Replay:
        """Tokens served to each request, and how many of them came out of RAM."""
        replay = serve(self._work, self, self._concurrent)
        if self._losses is not None:
            replay = replace(replay, evictor=self._losses.evictors())
        notes = list(replay.notes)
        if self.ram is None:
            notes.append(_NO_RAM)
        order = self._work.order
        kept = np.array(self._kept, dtype=np.int64)[order]
        cut = kept < self._work.kept_tokens[order]
        if replay.rejected is not None:
            cut &= ~replay.rejected[order]
        if cut.any():
            notes.append(f"{int(cut.sum()):,} responses would have been cut off where the context ends")
        tiers = {} if self._tier is None else {self._tier: self._from_ram}
        return replace(replay, tiers=tiers, notes=tuple(notes))

    @property
    def evicted_tokens(self) -> int:
        """Tokens lost in slots that were not copied to RAM just then, and those dropped from RAM to make room."""
        return self._lost + (self.ram.dropped if self.ram is not None else 0)

    def fits(self, request: int) -> bool:
        """Whether the prompt leaves room for a token in the context of a slot."""
        return self._context is None or self._prompt[request] < self._context

    def lookup(self, request: int) -> int:
        """Tokens that would be served now; 0 while all slots are busy."""
        prompt = self._prompt_of(request)
        slot, update = self._choose(prompt)
        if slot is None:
            return 0
        text = slot.text
        if update and self.ram is not None:
            ram = _PromptCache(self.ram.limit, list(self.ram.entries))
            if text.tokens:
                ram.save(text)
            entry = ram.better(text, prompt)
            if entry is not None:
                text = ram.entries[entry] if self._restorable(slot, ram.entries[entry]) else _EMPTY
        return self._reused(text, prompt)

    def start(self, request: int) -> int | None:
        """Choose an idle slot, look for something better in RAM, overwrite what is not shared."""
        if not self._has_room(request):
            return None
        prompt = self._prompt_of(request)
        slot, update = self._choose(prompt)
        if slot is None:
            return None
        if self._losses is not None:
            self._losses.serving = request
        saved = loaded = False
        if update and self.ram is not None:
            saved = not slot.text.tokens or self.ram.save(slot.text)
            loaded = self._load(slot, prompt, saved)
        hit = self._reused(slot.text, prompt)
        self._miss(prompt, hit)
        if loaded or not saved:
            self._lose(slot.text, hit)
        if loaded:
            self._from_ram[request] = hit
        slot.text = prompt
        slot.request = request
        if self._cache_idle:
            self._save_idle()
        self._make_room()
        return hit

    def finish(self, request: int) -> None:
        """The slot is idle again and holds the prompt and what was generated."""
        slot = next(slot for slot in self.slots if slot.request == request)
        slot.request = None
        self._clock += 1
        slot.released = self._clock
        tokens = self._kept[request]
        slot.text = _Text(self._paths.ranges(self._nodes[request], tokens), tokens)

    def _prompt_of(self, request: int) -> _Text:
        tokens = self._prompt[request]
        return _Text(self._paths.ranges(self._nodes[request], tokens), tokens)

    @staticmethod
    def _reused(held: _Text, prompt: _Text) -> int:
        """Tokens of `prompt` that need no computing; the last one is computed in any case."""
        return max(min(_common(held, prompt), prompt.tokens - 1), 0)

    def _choose(self, prompt: _Text) -> tuple[_Slot | None, bool]:
        """The idle slot that is most similar, else the least recently used; whether RAM is to be asked first."""
        best: _Slot | None = None
        most = np.float32(0)
        if self._similar and prompt.tokens:
            for slot in self.slots:
                if slot.request is None and slot.text.tokens:
                    similar = _share(_common(slot.text, prompt), prompt.tokens)
                    if similar > most and similar > self._similar:
                        best, most = slot, similar
        if best is not None:
            return best, bool(most * np.float32(prompt.tokens) / np.float32(best.text.tokens) < _HALF)
        for slot in self.slots:
            # Of slots that were never used the last one is taken first.
            if slot.request is None and (best is None or slot.released <= best.released):
                best = slot
        return best, True

    def _load(self, slot: _Slot, prompt: _Text, saved: bool) -> bool:
        """Move the best sequence from RAM into `slot`; what does not fit beside the other slots empties it."""
        ram = self.ram
        if ram is None or not prompt.tokens:
            return False
        entry = ram.better(slot.text, prompt)
        if entry is None:
            return False
        if not saved:
            self._lose(slot.text)
        if self._restorable(slot, ram.entries[entry]):
            slot.text = ram.entries.pop(entry)
            return True
        slot.text = _EMPTY
        return False

    def _restorable(self, slot: _Slot, text: _Text) -> bool:
        if self._pool is None:
            return True
        return self._held(slot) + text.tokens <= self._pool

    def _held(self, but: _Slot | None = None) -> int:
        """Cells in use; a running request counts with all it will generate."""
        return sum(
            slot.text.tokens if slot.request is None else self._kept[slot.request]
            for slot in self.slots
            if slot is not but
        )

    def _has_room(self, request: int) -> bool:
        if self._pool is None:
            return True
        running = sum(self._kept[slot.request] for slot in self.slots if slot.request is not None)
        return running + self._kept[request] <= self._pool

    def _save_idle(self) -> None:
        """Copy what idle slots hold; where cells are shared the slots are emptied."""
        if self.ram is None:
            return
        for slot in self.slots:
            if slot.request is None and slot.text.tokens:
                saved = self.ram.save(slot.text)
                if self._clear_idle:
                    if not saved:
                        self._lose(slot.text)
                    slot.text = _EMPTY

    def _make_room(self) -> None:
        """Clear idle slots, the first one first, until the running requests fit."""
        if self._pool is None:
            return
        for slot in self.slots:
            if self._held() <= self._pool:
                return
            if slot.request is None:
                self._lose(slot.text)
                slot.text = _EMPTY

    def _lose(self, text: _Text, kept: int = 0) -> None:
        """What comes after the first `kept` tokens of a slot's text is lost, unless some other place has it."""
        self._lost += text.tokens - kept
        if self._losses is not None:
            self._losses.lose(text.ranges, kept, text.tokens)

    def _miss(self, prompt: _Text, hit: int) -> None:
        """A request is not served what comes after its first `hit` tokens; was it lost, or is it in another place?"""
        if self._losses is None or hit >= prompt.tokens - 1:
            return
        held = [slot.text for slot in self.slots]
        if self.ram is not None:
            held += self.ram.entries
        if all(_common(text, prompt) <= hit for text in held):
            self._losses.miss(prompt.ranges, hit)
