"""Settings from outside of the command line. In: a file, the environment. Out: defaults of options, and where they
came from.

A flag is stronger than the environment, that than a file, that than the default.
"""
