"""The radix forest of all prompts, reuse runs, exact curves and MIN. Integers and depths; no engines."""
