"""A tokenizer for tests: one token a byte, so that token offsets are byte offsets."""

from __future__ import annotations

import numpy as np


class BytesTokenizer:
    """Tickets and ids like cachelens.tokens.tokenizer.Tokenizer, with bytes as tokens."""

    guarded_texts = 0

    def __init__(self) -> None:
        self.texts: list[str] = []

    def add(self, text: str) -> int:
        self.texts.append(text)
        return len(self.texts) - 1

    def finish(self) -> tuple[np.ndarray, np.ndarray]:
        encoded = [np.frombuffer(text.encode("utf-8", "replace"), dtype=np.uint8) for text in self.texts]
        offsets = np.concatenate(([0], np.cumsum([len(one) for one in encoded]))).astype(np.int64)
        ids = np.concatenate(encoded) if encoded else np.zeros(0, np.uint8)
        return offsets, ids.astype(np.uint32)
