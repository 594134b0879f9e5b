"""Makes training data from Hi-C maps and a genome, or checks a data directory.

Options keep Basenji's names and short letters. Lengths are in bases unless the help says otherwise.
"""

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING

import rich.table

from akita_bayes import errors
from akita_bayes.cli import basenji_options, command_record, console, figure_options, worker_options
from akita_bayes.data.preparation import presets
from akita_bayes.origins import provenance

if TYPE_CHECKING:
    from akita_bayes.data import assembly
    from akita_bayes.data.contacts import counts_to_targets
    from akita_bayes.data.preparation import account, data_options, training_windows

_RIGHT = {True: "yes", False: "NO", None: "-"}
_WINDOW_FIELDS = ("snap", "stride_train", "stride_test", "valid", "test", "folds")
LAYOUT = {
    **{name: f"--{name}" for name in _WINDOW_FIELDS},
    "largest_contig": "--break",
    **{name: f"--{name}" for name in ("gaps", "limit", "sample")},
}
"""Fields of the window layout, and the options that set them."""


def main(argv: Sequence[str] | None = None) -> int:
    """Reads the command line and returns the exit status."""
    parser = _parser()
    arguments = parser.parse_args(argv)
    if arguments.preset:
        parser.set_defaults(**presets.PRESETS[arguments.preset])
        arguments = parser.parse_args(argv)
    needed = (arguments.fasta, arguments.targets, arguments.out or arguments.dry_run or None)
    if arguments.check is None and None in needed:
        parser.error("needs genome.fa targets.txt -o DIR, or --check DIR")
    if arguments.windows is not None:
        flags = [flag for name, flag in LAYOUT.items() if _is_set(parser, arguments, name)]
        if flags:
            parser.error(
                f"--windows already gives the windows; leave out --windows or {', '.join(flags)}"
            )
    if arguments.umap is None and _is_set(parser, arguments, "umap_t"):
        parser.error("--umap_t is a threshold for the regions of --umap; give --umap too")
    command, out = _check if arguments.check else _make, arguments.out
    return console.run(lambda: command(arguments), options=arguments, out=out, own_record=True)


def _is_set(parser: argparse.ArgumentParser, arguments: argparse.Namespace, name: str) -> bool:
    """Returns True when an option differs from its default."""
    return bool(getattr(arguments, name) != parser.get_default(name))


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "akita_data.py hg38.fa targets.txt -o data/hg38 --preset akita_v1 -p 8"
    )
    add = parser.add_argument
    add("fasta", nargs="?", help="genome: FASTA, plain or compressed by bgzip or gzip, or .2bit")
    add(
        "targets",
        nargs="?",
        help="table with columns identifier, file (.cool, .mcool or .hic), and optionally clip, "
        "weight and divisive",
    )
    add("-o", "--out", metavar="DIR", help="new data directory")
    add(
        "--preset",
        choices=sorted(presets.PRESETS),
        help="published settings; options on the command line replace them",
    )
    add(
        "--check", metavar="DIR", help="read a data directory again and compare it with its sources"
    )
    add(
        "--dry_run",
        action="store_true",
        help="print what would be made, and write nothing",
    )
    add(
        "--chromosomes",
        metavar="TABLE",
        help="two columns: the name of a chromosome in other files, and its name in the genome",
    )
    add(
        "--circular",
        nargs="?",
        const="",
        metavar="NAMES",
        help="circular chromosomes, as chrM,chrP; without names, the only one of the genome. "
        "Windows may cross their origin",
    )
    add("--plot", type=console.whole_number, default=0, metavar="N", help="plot N random windows")
    add(
        "--sample_check",
        type=console.positive_integer,
        default=8,
        help="number of windows that --check recomputes",
    )

    lay = parser.add_argument_group("windows")
    add = lay.add_argument
    add(
        "-l",
        "--seq_length",
        type=console.positive_integer,
        help="length of a window (default: the length in --windows, or 131072)",
    )
    add("--windows", metavar="BED", help="use these windows; the fourth column is the split")
    add(
        "--snap",
        type=console.positive_integer,
        help="start windows at multiples of this length (default: the bin width)",
    )
    add(
        "--stride_train",
        type=console.positive_number,
        default=1.0,
        help="distance between training windows: up to 1 in window lengths, above in bases",
    )
    add(
        "--stride_test",
        type=console.positive_number,
        default=1.0,
        help="the same for validation and test windows",
    )
    add("-v", "--valid", "--valid_pct", default="0.05", help="share of bases, or chr8,chr9")
    add("-t", "--test", "--test_pct", default="0.05", help="share of bases, or chr8,chr9")
    add(
        "-f",
        "--folds",
        type=console.positive_integer,
        help="make this many folds instead of three splits",
    )
    add(
        "--break",
        dest="largest_contig",
        type=console.positive_integer,
        default=8388608,
        help="halve contigs longer than this",
    )
    add("-g", "--gaps", metavar="BED", help="regions without sequence")
    add("--limit", metavar="BED", help="use only these regions")
    add("-u", "--umap", metavar="BED", help="unmappable regions")
    add(
        "--umap_t",
        type=console.share,
        default=0.3,
        help="drop windows with at least this share of unmappable bins",
    )
    add("--umap_midpoints", metavar="BED", help="drop windows whose centre lies in these regions")
    add("--sample", type=console.share, default=1.0, help="share of windows to keep")
    add(
        "--seed",
        type=console.whole_number,
        default=44,
        help="seed of the splits, the sample and the order",
    )
    add(
        "--st",
        "--split_test",
        dest="split_test",
        action="store_true",
        help="write only the windows",
    )

    target = parser.add_argument_group("targets")
    add = target.add_argument
    add(
        "-w",
        "--pool_width",
        type=console.positive_integer,
        help="bin width (default: the file's); chooses the resolution of a file with several",
    )
    add(
        "--weight",
        "--norm",
        default="",
        metavar="NAME",
        help="column of balancing weights of a cooler, or normalisation of a .hic file, as KR; "
        "NONE for raw counts (default: weight, or the only normalisation)",
    )
    add(
        "--divisive",
        action=argparse.BooleanOptionalAction,
        default=None,
        help="the weights divide counts, as Juicer's, or not (default: the file says)",
    )
    add(
        "--balance",
        action="store_true",
        help="compute weights of coolers without them; the files stay unchanged",
    )
    add(
        "-c",
        "--crop",
        type=console.whole_number,
        default=0,
        help="bases to crop from each side of the map",
    )
    add(
        "-d",
        "--diagonal_offset",
        type=console.whole_number,
        default=2,
        help="first diagonal that is kept, in bins",
    )
    add("-b", "--blacklist", metavar="BED", help="regions whose bins are masked")
    add("--as_obsexp", action="store_true", help="log(observed / expected) within the window")
    add(
        "--global_obsexp",
        action="store_true",
        help="read expected contacts from a table beside the cooler",
    )
    add("--no_log", action="store_true", help="keep observed / expected as a ratio")
    add(
        "--clip",
        type=console.positive_number,
        help="limit of log ratios, for targets without a clip in targets.txt",
    )
    add(
        "-k",
        "--kernel_sigma",
        "--kernel_stddev",
        type=float,
        default=0.0,
        help="smoothing, in bins",
    )
    add(
        "--kernel_width",
        type=console.positive_integer,
        help="width of the kernel in bins, odd (default: 8 sigma)",
    )

    work = parser.add_argument_group("work")
    add = work.add_argument
    add("-r", "--seqs_per_tfr", type=console.positive_integer, default=128, help="records per file")
    worker_options.add(work, "-p", "--processes")
    add("--restart", action="store_true", help="continue an unfinished directory")
    add("--local", action="store_true", help="accepted for old command lines; has no effect")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_data")
    return parser


def _make(arguments: argparse.Namespace) -> None:
    from akita_bayes.data.preparation import data_directory, data_plan, map_depth

    options = _options(arguments)
    if arguments.split_test:
        return data_plan.write_windows(options, arguments.out)
    plan = data_plan.plan(options)
    console.say(plan.describe())
    map_depth.log_shallow(plan, seed=arguments.seed)
    if arguments.dry_run:
        return
    work = {"cluster": worker_options.cluster(arguments), "restart": arguments.restart}
    summary = data_directory.make(
        options, arguments.out, plan=plan, open_bar=console.progress, **work
    )
    if not os.path.exists(f"{arguments.out}/{provenance.FILE}"):
        command_record.write(arguments, arguments.out, [row.uri for row in plan.sources.targets])
    _show(summary)
    if arguments.plot:
        _plot(arguments.out, arguments.plot, arguments.seed)


def _options(arguments: argparse.Namespace) -> "data_options.DataOptions":
    from akita_bayes.data.contacts import contact_formats, counts_to_targets
    from akita_bayes.data.preparation import data_options, targets, training_windows

    circular: tuple[str, ...] = ()
    if arguments.circular is not None:
        names = console.words(arguments.circular)
        circular = names or data_options.single_chromosome(arguments.fasta)
    genome = data_options.read_assembly(arguments.fasta, arguments.chromosomes, circular)
    rows = targets.read(arguments.targets, clip=arguments.clip)
    width = arguments.pool_width or contact_formats.bin_width(rows[0].uri)
    windows: list[training_windows.Window] = []
    if arguments.windows:
        periods = genome.periods(width)
        windows = training_windows.read_windows(arguments.windows, genome, periods=periods)
    transform = counts_to_targets.Transform(
        seq_length=arguments.seq_length or (windows[0].region.width if windows else 131072),
        pool_width=width,
        crop=arguments.crop,
        diagonal_offset=arguments.diagonal_offset,
        as_obsexp=arguments.as_obsexp,
        global_obsexp=arguments.global_obsexp,
        no_log=arguments.no_log,
        kernel_sigma=arguments.kernel_sigma,
        kernel_width=arguments.kernel_width,
    )
    criteria = (
        data_options.Unmappable(arguments.umap, arguments.umap_t),
        data_options.Unmappable(arguments.umap_midpoints, midpoints=True),
    )
    return data_options.DataOptions(
        fasta=arguments.fasta,
        targets_file=arguments.targets,
        transform=transform,
        layout=None if windows else _layout(arguments, transform, genome),
        windows=tuple(windows),
        blacklist=arguments.blacklist,
        unmappable=tuple(criterion for criterion in criteria if criterion.file is not None),
        clip=arguments.clip,
        weight=arguments.weight,
        divisive=arguments.divisive,
        balance=arguments.balance,
        chromosomes_file=arguments.chromosomes,
        circular=circular,
        seqs_per_tfr=arguments.seqs_per_tfr,
        seed=arguments.seed,
    )


def _layout(
    arguments: argparse.Namespace,
    transform: "counts_to_targets.Transform",
    genome: "assembly.Assembly",
) -> "training_windows.Layout":
    from akita_bayes.data import interval_sets
    from akita_bayes.data.preparation import training_windows

    gaps, limit = (
        None if path is None else interval_sets.Intervals.read(path, genome)
        for path in (arguments.gaps, arguments.limit)
    )
    return training_windows.Layout(
        seq_length=transform.seq_length,
        snap=arguments.snap or transform.pool_width,
        stride_train=arguments.stride_train,
        stride_test=arguments.stride_test,
        valid=_share(arguments.valid, "--valid", genome),
        test=_share(arguments.test, "--test", genome),
        folds=arguments.folds,
        largest_contig=arguments.largest_contig,
        gaps=gaps or interval_sets.Intervals(),
        limit=limit,
        sample=arguments.sample,
        seed=arguments.seed,
    )


def _share(text: str, option: str, genome: "assembly.Assembly") -> float | tuple[str, ...]:
    """Returns 0.05 as a share of bases and chr8,chr9 as chromosomes; 9 is a chromosome too."""
    if text.replace(".", "", 1).isdigit() and ("." in text or text == "0"):
        return float(text)
    return genome.translate(console.words(text), option)


def _show(summary: "account.Summary") -> None:
    table = rich.table.Table("what", "number")
    table.add_row("windows", str(summary.windows))
    for split, count in summary.written.items():
        table.add_row(f"written to {split}", str(count))
    for reason, count in summary.dropped.items():
        table.add_row(f"dropped: {reason}", str(count))
    for name, statistics in summary.targets.items():
        table.add_row(f"{name}: pixels masked", f"{statistics['masked']:.1%}")
    console.stdout.print(table)


def _plot(out: str, count: int, seed: int) -> None:
    from akita_bayes.data.preparation import quality
    from akita_bayes.plots import data_plots, figure_files

    figure_files.write({"windows": data_plots.figure(quality.examples(out, count, seed=seed))}, out)


def _check(arguments: argparse.Namespace) -> None:
    from akita_bayes.data.preparation import check

    findings = check.check(
        arguments.check,
        sample=arguments.sample_check,
        seed=arguments.seed,
        open_bar=console.progress,
    )
    table = rich.table.Table("check", "result", "passed", title=arguments.check)
    for finding in findings:
        table.add_row(finding.check, finding.result, _RIGHT[finding.passed])
    console.stdout.print(table)
    if arguments.plot:
        _plot(arguments.check, arguments.plot, arguments.seed)
    wrong = [finding.check for finding in findings if finding.passed is False]
    if wrong:
        raise errors.DataError(f"{arguments.check}: failed checks: {', '.join(wrong)}.")


if __name__ == "__main__":
    raise SystemExit(main())
