"""Plane 2 of the accounting: was a prompt token worth sending? In: a trace and its texts. Out: labels, density.

`ContentFacts` is the way in: it finds calls, labels and density once each. docs/labels.md says what every label
means, what it takes to be given, and where the thresholds come from.
"""

from cachelens.attribute.content.facts import ContentFacts, find_labels
from cachelens.attribute.content.options import LabelOptions

__all__ = ["ContentFacts", "LabelOptions", "find_labels"]
