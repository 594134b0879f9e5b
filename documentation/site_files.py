"""Hook of MkDocs: adds pages from outside of docs/, and points links of all pages at the site.

Pages link to one another by their paths in the repository, so that they can be read there. The
site has all pages in one folder, and a copy of each JSON spec in `specs/`.
"""

import posixpath
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]

OUTSIDE = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "benchmarks.md",
    "data/README.md": "downloads.md",
    "models/README.md": "models.md",
    "models/pretrained/akita_yeast/README.md": "akita_yeast.md",
}
"""Path of each page outside of docs/ -> its path in the site."""

_LINK = re.compile(r"\]\((?!\w+:)([^)#\s]+)(#[^)\s]*)?\)")


def in_site(path: str) -> str | None:
    """Returns the path in the site of a file of the repository; None for one that it lacks."""
    if path in OUTSIDE:
        return OUTSIDE[path]
    if path.startswith("docs/"):
        return path.removeprefix("docs/")
    if path.startswith("models/json/"):
        return f"specs/{posixpath.basename(path)}"
    return None


def links(text: str) -> list[tuple[str, str]]:
    """Returns path and anchor of every relative link of a page."""
    return [(match[1], match[2] or "") for match in _LINK.finditer(text)]


def rewritten(text: str, path: str) -> str:
    """Returns a page with its links pointed at the site.

    Args:
        text: The page in Markdown.
        path: Path of the page in the repository.
    """
    folder = posixpath.dirname(path)
    page = posixpath.dirname(in_site(path) or "")

    def replace(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(folder, match[1]))
        site_path = in_site(target)
        if site_path is None:
            return match[0]
        return f"]({posixpath.relpath(site_path, page or '.')}{match[2] or ''})"

    return _LINK.sub(replace, text)


def on_files(files: Any, config: Any) -> Any:
    """Adds the pages of OUTSIDE and the JSON specs; an event of MkDocs."""
    from mkdocs.structure.files import File

    specs = {f"models/json/{path.name}": path for path in (ROOT / "models/json").glob("*.json")}
    for path in (*OUTSIDE, *specs):
        site_path = in_site(path)
        files.append(File.generated(config, str(site_path), abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Rewrites the links of a page; an event of MkDocs."""
    paths = {site_path: path for path, site_path in OUTSIDE.items()}
    uri = page.file.src_uri
    return rewritten(markdown, paths.get(uri, f"docs/{uri}"))
