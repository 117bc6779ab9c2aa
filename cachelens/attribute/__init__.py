"""Outcomes become causes. In: a trace, its forest, hits under one cache model. Out: outcomes per token, breaks.

Pure functions on contents and depths; reports are no business of this package.
"""
