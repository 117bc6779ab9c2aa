"""The report as one HTML page. In: a document. Out: bytes that need nothing else, no network and no script.

`page.py` puts it together; each section is a module that makes plain view data and a template that shows it.
"""
