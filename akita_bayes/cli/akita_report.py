"""Writes a directory of results as one HTML file, which needs no network.

Shows what akita_predict.py, akita_scd.py, akita_test.py, akita_train.py or mpra_fit.py wrote:
tables to sort and to search, maps whose values appear under the pointer, charts, and versions,
seeds and digests. Maps of variants come from akita_scd.py --save_maps.
"""

import argparse
from collections.abc import Sequence
from pathlib import Path

from akita_bayes.cli import console


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_report.py scd -o scd.html --genes genes.gtf.gz")
    parser.add_argument(
        "directory",
        help="directory of akita_predict.py, akita_scd.py, akita_test.py, akita_train.py or "
        "mpra_fit.py",
    )
    parser.add_argument(
        "-o",
        "--out",
        metavar="FILE",
        help="HTML file to write (default: report.html in the directory)",
    )
    parser.add_argument(
        "--genes", type=console.readable, help="GTF or BED file of genes to draw under maps"
    )
    parser.add_argument(
        "--bigwig",
        action="append",
        type=console.existing_file,
        default=[],
        metavar="FILE",
        help="bigWig track to draw under maps; give it again for more tracks",
    )
    parser.add_argument(
        "--maps",
        type=console.whole_number,
        default=10,
        metavar="N",
        help="variants or windows whose maps are shown; fewer maps are stored in finer steps",
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.report import directories

        path = directories.write(
            options.directory,
            options.out,
            options=directories.ReportOptions(options.genes, tuple(options.bigwig), options.maps),
        )
        size = path.stat().st_size
        written = f"{size / 1e6:.1f} MB" if size >= 1e6 else f"{size / 1e3:.0f} kB"
        console.say(f"{path} ({written}); open it in a browser: {Path(path).resolve().as_uri()}")

    return console.run(command)


if __name__ == "__main__":
    raise SystemExit(main())
