"""A little coding agent with texts of its own, and the captures in `sample_traces/` it makes."""
