"""Screens as lines of text. In: a `Result` or a `Curve`. Out: `Line`s, painted by `screen.paint`."""
