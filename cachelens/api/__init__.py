"""The library. In: names of captures, keyword options spelled as on the command line. Out: views with polars frames.

`cachelens` hands these names out, importing them on first use.
"""

from cachelens.api.analyses import Plot, Report, analyze, read
from cachelens.api.closeups import RequestReport, inspect
from cachelens.api.comparisons import ComparisonReport, compare
from cachelens.api.gates import CheckReport, check, write_baseline
from cachelens.api.grids import CurveReport, GridReport, curve, simulate
from cachelens.api.traces import Trace, load

__all__ = [
    "CheckReport",
    "ComparisonReport",
    "CurveReport",
    "GridReport",
    "Plot",
    "Report",
    "RequestReport",
    "Trace",
    "analyze",
    "check",
    "compare",
    "curve",
    "inspect",
    "load",
    "read",
    "simulate",
    "write_baseline",
]
