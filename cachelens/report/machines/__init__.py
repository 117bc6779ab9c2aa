"""Verdicts for other programs: code hosts, test reports, editors. In: a `Verdict`. Out: bytes in their formats."""
