"""Configuration of the documentation; ``sphinx-build -W -b html docs docs/_build`` makes it."""

import os
import warnings

os.environ.setdefault("MPLBACKEND", "Agg")

import skgd

project, author = "skgd", "the skgd developers"
copyright = "the skgd developers"
version = release = skgd.__version__

extensions = [
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx-mathjax-offline",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "gallery/*.ipynb", "gallery/*.py", "gallery/*.md5", "**/*.zip"]
templates_path = ["_templates"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["config.cache"]  # the sorter of the gallery is a class

autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True}
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

html_theme = "pydata_sphinx_theme"
html_title = "skgd"
html_static_path = ["_static"]
html_css_files = ["skgd.css"]
html_theme_options = {
    "show_toc_level": 2,
    "navbar_align": "left",
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "remove_config_comments": True,
    "show_memory": False,
    "min_reported_time": 1e9,
    "abort_on_example_error": True,
    "parallel": 2,
    "capture_repr": (),
}
warnings.filterwarnings("ignore", message="FigureCanvasAgg is non-interactive")


def skip_inherited(app, what, name, thing, skip, options):
    """Leave out what scikit-learn documents on its own site."""
    return skip or str(getattr(thing, "__module__", "")).startswith("sklearn.")


def setup(app):
    """Connect the hook."""
    app.connect("autodoc-skip-member", skip_inherited)
