"""The whole way from captures to a document; the one layer that sees every stage.

In: what to read and frozen options. Out: `load` gives a Trace, `analyze` a Result, `examine` the Result and the
case behind it, `inspect` one request, `curve` a Curve, `simulate` a Grid.
"""

from cachelens.pipeline.analysis import analyze, examine
from cachelens.pipeline.curves import curve
from cachelens.pipeline.grid import simulate
from cachelens.pipeline.inspection import inspect
from cachelens.pipeline.loading import load

__all__ = ["analyze", "curve", "examine", "inspect", "load", "simulate"]
