"""Results become output. In: a `Result` or a `Curve`. Out: bytes, in any of the formats of `renderers`."""
