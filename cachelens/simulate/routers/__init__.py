"""Routers: what sends requests to the replicas of a fleet, name -> class. In: nothing. Out: `ROUTERS`."""

from __future__ import annotations

from cachelens.registry import Entry, Registry

_HERE = "cachelens.simulate.routers"

ROUTERS = Registry(
    "router",
    {
        "round-robin": Entry(f"{_HERE}.round_robin:RoundRobin", "each request to the next replica in turn"),
        "random": Entry(f"{_HERE}.at_random:AtRandom", "any replica, by a hash of request number and seed"),
        "least-loaded": Entry(
            f"{_HERE}.least_loaded:LeastLoaded", "the replica that runs the fewest requests"
        ),
        "session": Entry(f"{_HERE}.session:Session", "all requests of a session to one replica"),
        "prefix-aware": Entry(
            f"{_HERE}.prefix_aware:PrefixAware",
            "the replica that was sent the longest prefix, as SGLang's does",
        ),
        "consistent-hash": Entry(
            f"{_HERE}.consistent_hash:ConsistentHash",
            "a ring of hashes of the prompt's start, or of the session",
        ),
    },
    "cachelens.routers",
)
