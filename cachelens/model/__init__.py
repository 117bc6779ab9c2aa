"""The nouns every other package speaks: tables, Trace, Outcome, Result, units. No behaviour but validation."""
