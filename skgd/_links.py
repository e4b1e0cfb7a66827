"""Where the documentation is, for links from what notebooks show."""

import functools
from importlib import metadata

__all__ = ["Documented"]


@functools.cache
def address():
    """Return the address that the installed package gives for its documentation, or ""."""
    try:
        given = metadata.metadata("skgd").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        given = []
    named = dict(one.split(", ", 1) for one in given)
    return named.get("Documentation", "").rstrip("/")


class Documented:
    """An estimator whose diagram links to its page, where the package says where that is."""

    _doc_link_module = "skgd"

    @property
    def _doc_link_template(self):
        place = address()
        return place and place + "/api/generated/{estimator_module}.{estimator_name}.html"
