"""Before against after. In: two Results. Out: a `Comparison`, or an error that says why they cannot be compared."""

from cachelens.pipeline.comparison.compare import compare, illustrated
from cachelens.pipeline.comparison.conditions import ALLOWABLE, differences

__all__ = ["ALLOWABLE", "compare", "differences", "illustrated"]
