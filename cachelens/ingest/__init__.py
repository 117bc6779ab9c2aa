"""Captures become tables. In: files, folders, stdin in any known format. Out: a `Trace`.

`formats/` read containers, `dialects/` read the wire API inside; neither knows the other.
"""
