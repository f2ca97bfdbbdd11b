# SPDX-License-Identifier: Apache-2.0
project = "Zhanqiao 栈桥"
extensions = ["myst_parser"]
html_theme = "furo"
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_heading_anchors = 2
suppress_warnings = ["myst.xref_missing"]
