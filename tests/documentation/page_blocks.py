"""Reads the fenced blocks of pages, and runs them: commands in this process, other lines in bash.

A block of bash or Python is run by a test, or its fence says why not, visibly on the site:
```bash title="Not run by the tests: downloads 4 MB"
"""

import importlib
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from akita_bayes.cli import all_commands

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    *(
        "README.md",
        "CONTRIBUTING.md",
        "benchmarks/README.md",
        "data/README.md",
        "models/README.md",
        "models/pretrained/akita_yeast/README.md",
    ),
    *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
)
RUNNABLE = ("bash", "python")
LANGUAGES = (*RUNNABLE, "json", "text", "yaml")
FITS = {
    "mpra_simulate": "--sequences 150 --bins 3 --reads 3000",
    "mpra_simulate --design": "--sequences 100 --bins 3 --reads 3000,6000 --mutation_rate 0.3",
    "mpra_fit": "--starts 1",
    "mpra_compare": "--starts 1",
    "mpra_posterior": "--starts 1 --optima 1 --chains 2 --burn_in 6 --most_draws 5 --bootstrap 0",
}
"""Options that make fits of mechanisms small."""
_FENCE = re.compile(r"^```(\w*)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_REASON = re.compile(r'title="Not run by the tests: ([^"]{8,})"')


class Block(NamedTuple):
    """A fenced block; `before` is the paragraph above it, `reason` why it is not run."""

    page: str
    line: int
    language: str
    code: str
    before: str
    reason: str

    @property
    def is_runnable(self) -> bool:
        return self.language in RUNNABLE

    @property
    def commands(self) -> list[list[str]]:
        """The words of every line that begins with a command of this package."""
        lines = self.code.replace("\\\n", " ").splitlines() if self.language == "bash" else []
        words = [shlex.split(line, comments=True) for line in lines if is_command(line)]
        return [line for line in words if line]


def is_command(line: str) -> bool:
    name = line.split(" ")[0].removesuffix(".py")
    return name in all_commands.names()


def blocks(page: str) -> list[Block]:
    """Every fenced block of a page, in its order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    fenced = []
    for match in _FENCE.finditer(text):
        reason = _REASON.search(match[2])
        before = text[: match.start()].strip().split("\n\n")[-1]
        line = text[: match.start()].count("\n") + 1
        fenced.append(Block(page, line, match[1], match[3], before, reason[1] if reason else ""))
    return fenced


class Follower:
    """Runs the blocks of a page in the current folder.

    Args:
        small: Options to append to a command, where they win over those of the page.
        code: Replacements in Python blocks, which must occur.
        names: Variables that the page takes as given.
    """

    def __init__(
        self,
        small: Mapping[str, str] | None = None,
        code: Mapping[str, str] | None = None,
        names: Mapping[str, Any] | None = None,
    ):
        self.small, self.code = dict(small or {}), dict(code or {})
        self.namespace: dict[str, Any] = dict(names or {})
        self.ran: list[str] = []
        self.unused = set(self.code)

    def follow(self, page_blocks: Sequence[Block]) -> None:
        for block in page_blocks:
            if block.reason:
                continue
            if block.language == "bash":
                self._bash(block)
            elif block.language == "python":
                self._python(block)
            elif block.language == "json" and (
                name := re.search(r"[Ss]ave as\s+`(.+?)`", block.before)
            ):
                Path(name[1]).write_text(block.code)

    def _bash(self, block: Block) -> None:
        for line in block.code.replace("\\\n", " ").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            if is_command(line):
                self._command(shlex.split(line, comments=True), f"{block.page}: {line}")
            else:
                done = subprocess.run(["bash", "-euc", line], capture_output=True, text=True)
                assert done.returncode == 0, f"{block.page}: {line}\n{done.stderr}"
            self.ran.append(line)

    def _command(self, words: list[str], line: str) -> None:
        name = words[0].removesuffix(".py")
        option = f"{name} --design" if "--design" in words else name
        small = shlex.split(self.small.get(option, ""))
        main = importlib.import_module(f"akita_bayes.cli.{name}").main
        try:
            status = main([*words[1:], *small])
        except SystemExit as stopped:
            status = stopped.code
        assert status == 0, line

    def _python(self, block: Block) -> None:
        code = block.code
        for text, replacement in self.code.items():
            if text in code:
                self.unused.discard(text)
                code = code.replace(text, replacement)
        where = f"{block.page}, line {block.line}"
        exec(compile(code, where, "exec"), self.namespace)
