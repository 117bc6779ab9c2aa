"""vLLM's blocks as a literal simulator on token lists, for the tests of stores behind it."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

from cachelens.simulate.workload import Workload
from tests.simulate.workloads import Call, work_of

Key = tuple[str, tuple[int, ...]]


def built(given_calls: list[Call]) -> Workload:
    """The calls one after the other."""
    with tempfile.TemporaryDirectory() as folder:
        return replace(work_of(given_calls, Path(folder)), start_us=None, end_us=None)


def key(call: Call, tokens: int) -> Key:
    """What a chained hash of the first `tokens` tokens stands for."""
    return call.namespace, tuple([*call.prompt, *call.output][:tokens])


def kept(call: Call) -> int:
    """Tokens whose KV is computed."""
    return len(call.prompt) + max(len(call.output) - 1, 0)


class Block:
    """`key` of its content, None if it is not full; `born`: when it was filled."""

    def __init__(self) -> None:
        self.key: Key | None = None
        self.born = 0


class Device:
    """Blocks in a free queue; of several with the same content the oldest is found."""

    def __init__(self, size: int, capacity: int) -> None:
        self.size = size
        self.total = capacity // size
        self.free = [Block() for _ in range(self.total)]
        self.clock = 0

    def fits(self, call: Call) -> bool:
        return -(-kept(call) // self.size) <= self.total

    def serve(self, call: Call) -> int:
        """Tokens found, after which the request has run to its end."""
        size = self.size
        mine: list[Block] = []
        for number in range((len(call.prompt) - 1) // size):
            found = [block for block in self.free if block.key == key(call, (number + 1) * size)]
            if not found:
                break
            mine.append(min(found, key=lambda block: block.born))
        for block in mine:
            self.free.remove(block)
        hit = len(mine)
        for number in range(hit, -(-kept(call) // size)):
            block = self.free.pop(0)
            full = (number + 1) * size <= kept(call)
            self.clock += 1
            block.key, block.born = (key(call, (number + 1) * size) if full else None), self.clock
            mine.append(block)
        for block in reversed(mine):
            if block.key is None:
                self.free.insert(0, block)
            else:
                self.free.append(block)
        return hit * size
