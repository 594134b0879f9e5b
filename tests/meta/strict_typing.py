"""Compares the errors of `mypy --strict` with the number in CONTRIBUTING.md: it may not grow.

`make type` runs this module. Wings without such errors are listed in pyproject.toml, where the
ordinary run of mypy refuses the first error.
"""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COMMAND = "mypy --strict akita_bayes"


def allowed(page: str) -> int:
    """The number of errors that CONTRIBUTING.md states for the command."""
    sentence = re.search(rf"`{COMMAND}` still gives ([\d,]+) errors", page)
    assert sentence, f"CONTRIBUTING.md does not say how many errors `{COMMAND}` gives."
    return int(sentence[1].replace(",", ""))


def counted(output: str) -> int:
    """The number of errors in the output of mypy."""
    summary = re.search(r"^Found (\d+) errors? in|^Success: ", output, re.MULTILINE)
    assert summary, f"mypy stopped: {output[-500:]}"
    return int(summary[1] or 0)


def verdict(errors: int, limit: int) -> str:
    """An advice, empty when the number stands; it begins with "error" when the number grew."""
    if errors > limit:
        return (
            f"error: `{COMMAND}` gives {errors} errors, and CONTRIBUTING.md allows {limit}; give "
            "the new code its types."
        )
    if errors < limit:
        return f"`{COMMAND}` gives {errors} errors; write this number in CONTRIBUTING.md."
    return ""


def main() -> int:
    # A cache of its own: options differ from those of the ordinary run.
    options = ["--strict", "--cache-dir", ".mypy_cache/strict", "akita_bayes"]
    run = subprocess.run(
        [sys.executable, "-m", "mypy", *options], cwd=ROOT, capture_output=True, text=True
    )
    limit = allowed((ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8"))
    advice = verdict(counted(run.stdout + run.stderr), limit)
    if advice:
        print(advice)
    return int(advice.startswith("error"))


if __name__ == "__main__":
    sys.exit(main())
