"""Settings of the documentation; `hatch run docs:build` builds it."""

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import gear
from gear_wire.table import BY_TYPE

project = "gear"
author = "the authors of gear"
copyright = author  # noqa: A001  (Sphinx's name)
release = gear.__version__
version = release

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinxcontrib.programoutput",
]
exclude_patterns = ["_build", "examples"]

html_theme = "furo"
html_title = f"gear {release}"
html_static_path = ["_static"]
html_css_files = ["boxes.css"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

default_role = "py:obj"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autoclass_content = "class"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_maximum_signature_line_length = 88
python_use_unqualified_type_names = True

# What signatures name and other projects document: nothing is fetched while building.
nitpick_ignore_regex = [
    (
        "py:.*",
        r"(argparse|asyncio|collections|contextlib|datetime|enum|logging|os|re|socket|ssl)\..*",
    ),
    ("py:.*", r"(threading|types|typing|msgspec)\..*"),
    # The library's own, behind what programs use.
    (
        "py:.*",
        r"gear_(client|worker|wire|server)\.(session|link|face|network|engine|async_job)\..*",
    ),
    ("py:class", r"gear_wire\.text\.Row"),
    ("py:class", r"gear_worker\.runner\.calls\.(Call|Ending)"),
    ("py:class", r"gear_client\.(calls|typed|async_typed)\.(Async)?(CallJob|JobKeeper)"),
    ("py:class", r"gear_wire\.functions\.(coding|current)\.(Codec|Reports)"),
    ("py:class", r"gear_wire\.functions\.(failures\.Failure|testing\.Testing)|Testing"),
    ("py:class", r"gear_wire\.functions\.app\.(Decorator|(Stream)?Implementation)"),
    # Type variables.
    ("py:class", r"P|gear_.*\.(DueT|Item|Local|MiddlewareT|Result|State)(_co)?"),
]


# Documents at the root of the project, which name each other, and the pages that include them.
PAGES = {
    "ARCHITECTURE.md": "topics/design",
    "COMPATIBILITY.md": "project/compatibility",
    "CONTRIBUTING.md": "project/contributing",
    "SECURITY.md": "project/security",
    "docs/how-to/tls.md": "how-to/tls",
    "docs/topics/security.md": "topics/security",
}


def find_pages(app: Sphinx, doctree: nodes.document) -> None:
    """Lead links to those documents to their pages."""
    for node in doctree.findall(pending_xref):
        page = PAGES.get(node["reftarget"])
        if page is not None:
            node.attributes.update(refdomain="doc", reftarget=page, reftargetid=None)


def literal_when_unknown(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Node | None:
    """Show a name in backticks that is no name of the reference as code.

    Docstrings put arguments in backticks as well as classes and methods.
    """
    return content if node.get("reftype") == "obj" else None


def describe_constant(
    app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]
) -> None:
    """Say of a packet's number what its struct says, and not what `int` does."""
    if what == "data" and name.startswith("gear.constants."):
        info = BY_TYPE.get(value)
        lines[:] = []
        if info is not None:
            lines += (info.struct.__doc__ or "").splitlines()
            if info.arguments:
                lines += ["", f"Arguments: {', '.join(info.arguments)}."]


def setup(app: Sphinx) -> None:
    """Connect the above."""
    app.connect("autodoc-process-docstring", describe_constant)
    app.connect("doctree-read", find_pages)
    app.connect("missing-reference", literal_when_unknown)
