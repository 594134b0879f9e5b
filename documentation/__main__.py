"""Writes the generated pages of docs/: `python -m documentation`."""

from pathlib import Path

from documentation import api_pages, command_pages, design_pages, gallery, spec_pages

DOCS = Path(__file__).resolve().parents[1] / "docs"
PAGES = {
    "spec_keys.md": spec_pages.page,
    "commands.md": command_pages.page,
    "api.md": api_pages.page,
    "gallery.md": gallery.page,
    "design_keys.md": design_pages.page,
}

if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")
