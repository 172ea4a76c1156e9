"""How the manual is built: ``make docs``."""

from __future__ import annotations

import importlib
import re
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import generate  # noqa: E402
import reference  # noqa: E402
from sphinx.util import logging  # noqa: E402
from sphinx_gallery.scrapers import figure_rst  # noqa: E402

import throughtime  # noqa: E402

project = "throughtime"
author = copyright = "throughtime developers"
version = release = throughtime.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
    "sphinx_gallery.gen_gallery",
]
exclude_patterns = ["_build", "generated/parts", "examples"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_custom_sections = [
    ("Attributes of a subclass", "params_style"),
    ("Class attributes", "params_style"),
]

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "filename_pattern": "plot_",
    "within_subsection_order": "FileNameSortKey",
    "image_srcset": ["2x"],
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
    "min_reported_time": float("inf"),
    "image_scrapers": ("conf.page_of",),
    "abort_on_example_error": True,
}

html_theme = "furo"
html_title = "throughtime"
html_static_path = ["_static"]
html_css_files = ["manual.css"]
html_show_sphinx = False
html_copy_source = False
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0a5a8a", "color-brand-content": "#0a5a8a"},
    "dark_css_variables": {"color-brand-primary": "#6fb7e0", "color-brand-content": "#6fb7e0"},
}


def page_of(block, block_vars, gallery_conf):
    """The figure that a block of an example leaves in ``page``; pyplot does not know of it."""
    page = block_vars["example_globals"].pop("page", None)
    if page is None:
        return ""
    path = next(block_vars["image_path_iterator"])
    page.savefig(path, dpi=200)
    return figure_rst([path], gallery_conf["src_dir"])


def plain_text(app, what, name, obj, options, lines):
    """Docstrings are read as text in a terminal too; this makes what they write there valid markup here.

    ``|x|`` is an absolute value and ``*names`` an unpacked tuple; a table stands as it was written;
    attributes become a list instead of cross-references to whatever else has their names.
    """
    out, table, listed = [], False, False
    for line in lines:
        if re.fullmatch(r"\s*={3,}(\s+={3,})+\s*", line) and not table:
            table = True
            out += ["::", ""]
        if table and line.strip():
            out.append(f"    {line}")
            continue
        table = False
        parts = re.split(r"(``.*?``)", line)
        parts[::2] = [re.sub(r"\|(\S[^|]*?\S|\S)\|", r"\\|\1\\|", part) for part in parts[::2]]
        parts[::2] = [re.sub(r"(?<=, )\*(?=\w)", r"\\*", part) for part in parts[::2]]
        line = "".join(parts)
        if line.lstrip().startswith(":vartype "):
            continue
        attribute = re.match(r"\s*:ivar ([^:]+):\s*(.*)", line)
        if attribute:
            out += [] if listed else ["", "**Attributes**", ""]
            line, listed = f"* ``{attribute[1]}``: {attribute[2]}", True
        out.append(line)
    lines[:] = out


def skip_fields(app, what, name, obj, skip, options):
    """Fields of named tuples are described by their class."""
    return True if str(getattr(obj, "__doc__", "")).startswith("Alias for field number") else None


def follow_reexport(app, env, node, contnode):
    """Resolve ``throughtime.circuits.Circuit`` to where the class is documented."""
    path = node.get("reftarget", "")
    room, _, name = path.rpartition(".")
    if node.get("refdomain") != "py" or not room.startswith("throughtime"):
        return None
    try:
        found = getattr(importlib.import_module(room), name)
        target = f"{found.__module__}.{found.__qualname__}"
    except (ImportError, AttributeError):
        return None
    if target == path:
        return None
    domain = env.get_domain("py")
    return domain.resolve_xref(env, node["refdoc"], app.builder, node["reftype"], target, node, contnode)


def names_in_reference(app, env):
    """Warn, which ends the build, of every public name that the API reference does not have."""
    described = env.get_domain("py").objects
    for public in reference.public_names():
        if public.target not in described:
            logging.getLogger(__name__).warning(
                "%s.%s is public and not in the API reference: no entry %s; give it a docstring.", *public
            )


def setup(app):
    """Write the generated parts, then let Sphinx read."""
    generate.write_all(HERE / "generated")
    app.connect("autodoc-process-docstring", plain_text)
    app.connect("autodoc-skip-member", skip_fields)
    app.connect("missing-reference", follow_reexport)
    app.connect("env-check-consistency", names_in_reference)
