"""How the documentation is built into a site: `sphinx-build -W docs OUT`. In: the pages here. Out: settings."""

project = "cachelens"
author = "the cachelens authors"
extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
root_doc = "index"
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "cachelens"
html_last_updated_fmt = None
html_show_sphinx = False
myst_heading_anchors = 4
myst_enable_extensions = ["html_image"]
nitpicky = True
