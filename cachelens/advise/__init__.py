"""Causes and remedies of waste. In: a replayed trace with its history, labels and ledger. Out: findings.

Rules say what they found and what would mend it, as a `Plan`; plans are replayed by whoever owns the engines.
"""
