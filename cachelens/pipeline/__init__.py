"""The whole way from captures to a document; the one layer that sees every stage.

In: what to read and frozen options. Out: `load` gives a Trace, `analyze` a Result, `curve` a Curve,
`simulate` a Grid.
"""

from cachelens.pipeline.analysis import analyze
from cachelens.pipeline.curves import curve
from cachelens.pipeline.grid import simulate
from cachelens.pipeline.loading import load

__all__ = ["analyze", "curve", "load", "simulate"]
