"""Shapes of models whose KV caches servers hold, and what a token costs them. In: names. Out: bytes, FLOPs."""
