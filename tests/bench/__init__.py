"""Benchmarks, run by hand, and tests of the traces they are fed."""
