"""Caches replayed. In: the prefix forest's reuse runs, a cache model. Out: hit tokens per request."""
