"""Every block of a page is run by a test, or its fence says why not; every link leads somewhere."""

import importlib
import re

import keras
import pytest

from documentation import __main__ as generated
from documentation import site_files, spec_pages
from tests.documentation import page_blocks
from tests.documentation import test_pages_run as pages_run

LAC = ("docs/lac.md", "docs/own_promoter.md")
"""Run by tests/meta/test_docs_lac.py."""


@pytest.mark.parametrize("page", page_blocks.PAGES)
def test_every_block_is_run_or_says_why_not(page):
    blocks = page_blocks.blocks(page)
    text = (page_blocks.ROOT / page).read_text(encoding="utf-8")
    assert text.count("\n```") + text.startswith("```") == 2 * len(blocks)
    for block in blocks:
        assert block.language in page_blocks.LANGUAGES, f"{page}:{block.line}: no language"
        if not block.is_runnable:
            assert not block.reason
            assert not any(map(page_blocks.is_command, block.code.splitlines())), block
    to_run = [block for block in blocks if block.is_runnable and not block.reason]
    is_run = page in pages_run.PAGES or page in (*LAC, *pages_run.SIGNATURES)
    assert is_run == bool(to_run), f"{page}: {len(to_run)} blocks to run"


def test_most_blocks_are_run():
    runnable = [b for page in page_blocks.PAGES for b in page_blocks.blocks(page) if b.is_runnable]
    runnable = [block for block in runnable if block.page not in pages_run.SIGNATURES]
    left_out = [block for block in runnable if block.reason]
    assert len(runnable) > 60
    assert len(left_out) < 0.45 * len(runnable)
    reasons = ("download", "install", "minutes", "hours", "needs", "sets up")
    for block in left_out:
        assert any(word in block.reason for word in reasons), block


@pytest.mark.parametrize("page", page_blocks.PAGES)
def test_options_of_every_command_exist(page):
    """Also of blocks that are not run."""
    for block in page_blocks.blocks(page):
        for words in block.commands:
            name = words[0].removesuffix(".py")
            parser = importlib.import_module(f"akita_bayes.cli.{name}")._parser()
            for word in words[1:]:
                if re.match(r"-(-|[a-zA-Z])", word):
                    assert parser._is_known(word), f"{page}:{block.line}: {name} {word}"


@pytest.mark.skipif(
    f"keras=={keras.version()}" not in (page_blocks.ROOT / "constraints.txt").read_text(),
    reason="the pages have the arguments of another version of Keras",
)
@pytest.mark.parametrize("name", sorted(generated.PAGES))
def test_a_generated_page_is_that_of_the_code(name):
    text = (generated.DOCS / name).read_text(encoding="utf-8")
    assert text == generated.PAGES[name](), "run: python -m documentation"


@pytest.mark.parametrize("section", spec_pages.SECTIONS, ids=lambda section: section.__name__)
def test_every_key_is_described(section):
    assert spec_pages.undescribed(section) == []


def slug(heading: str) -> str:
    """The anchor that both GitHub and MkDocs give a heading."""
    text = re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", lambda match: match[1] or "", heading)
    return re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", text.lower()).strip())


def anchors(path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.M | re.S)
    return {slug(heading) for heading in re.findall(r"^#+ (.+)$", text, re.M)}


@pytest.mark.parametrize("page", page_blocks.PAGES)
def test_links_lead_to_files_and_headings(page):
    path = page_blocks.ROOT / page
    for target, anchor in site_files.links(path.read_text(encoding="utf-8")):
        file = (path.parent / target).resolve()
        assert file.exists(), f"{page}: {target}"
        if anchor and file.suffix == ".md":
            assert anchor[1:] in anchors(file), f"{page}: {target}{anchor}"
    own = re.findall(r"\]\((#[^)]+)\)", path.read_text(encoding="utf-8"))
    assert {anchor[1:] for anchor in own} <= anchors(path)


@pytest.mark.parametrize("page", page_blocks.PAGES)
def test_files_of_this_repository_that_a_page_names_exist(page):
    text = (page_blocks.ROOT / page).read_text(encoding="utf-8")
    for path in re.findall(r"`(?:pytest )?((?:tests|benchmarks|documentation)/[\w/.]+)", text):
        if path != "tests/data/yeast.10kb.cool":  # of github.com/open2c/cooler
            assert (page_blocks.ROOT / path).exists(), f"{page}: {path}"


@pytest.mark.parametrize("page", page_blocks.PAGES)
def test_every_table_has_a_header(page):
    """A blank line inside a table ends it; the rows after it are shown as text."""
    text = (page_blocks.ROOT / page).read_text(encoding="utf-8")
    text = re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)
    for table in re.findall(r"(?:^\|.*\n)+", text, re.M):
        rows = table.splitlines()
        assert len(rows) > 1, f"{page}: {rows[0]}"
        assert re.fullmatch(r"\|(?:\s*:?-+:?\s*\|)+", rows[1]), f"{page}: {rows[0]}"


def test_every_page_is_in_the_navigation():
    config = (page_blocks.ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    listed = set(re.findall(r": ([\w]+\.md)$", config, re.M))
    assert listed == {site_files.in_site(page) for page in (*page_blocks.PAGES, "CHANGELOG.md")}


def test_links_of_the_site_are_those_of_the_repository():
    text = "[a](docs/lac.md#data) [b](models/README.md) ![c](docs/images/x.png) [d](https://x.y/z)"
    assert site_files.rewritten(text, "README.md") == (
        "[a](lac.md#data) [b](models.md) ![c](images/x.png) [d](https://x.y/z)"
    )
    text = "[a](../../json/akita_yeast.json) [b](../../../docs/real.md)"
    assert site_files.rewritten(text, "models/pretrained/akita_yeast/README.md") == (
        "[a](specs/akita_yeast.json) [b](real.md)"
    )
