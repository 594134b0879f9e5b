"""Reads the content of a report from its HTML without a browser."""

import html.parser
import json
from pathlib import Path


class Document(html.parser.HTMLParser):
    """The elements of a page: tables as rows of texts, scripts, and the tags that occur."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.tables: list[list[list[str]]] = []
        self.scripts: list[str] = []
        self.text = ""
        self._in_script = self._in_cell = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self._in_cell = True
        elif tag == "script":
            self._in_script = True
            self.scripts.append("")

    def handle_endtag(self, tag):
        if tag == "script":
            self._in_script = False
        elif tag in ("td", "th"):
            self._in_cell = False

    def handle_data(self, data):
        if self._in_script:
            self.scripts[-1] += data
            return
        self.text += data
        if self._in_cell:
            self.tables[-1][-1][-1] += data

    @property
    def data(self):
        """The JSON that the script reads."""
        return json.loads(self.scripts[0])


def read(path: Path) -> Document:
    return Document(path.read_text(encoding="utf-8"))
