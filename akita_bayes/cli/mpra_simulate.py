"""Simulates a massively parallel reporter assay of a mechanism: library, sorting, reads.

The parameters come from the spec's `truth`, or are drawn from its priors. Writes the assay in the
form that `mpra_fit.py` reads, params.json and truth.json. With --design, it compares experiments
instead: options take several numbers separated by commas, and design.tsv holds the expected width
of the 95 % interval of every energy in each experiment.
"""

import argparse
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console, figure_options
from akita_bayes.files import output_directory

if TYPE_CHECKING:
    from akita_bayes.mechanisms import mechanism_spec
    from akita_bayes.regulation.assay import simulated_assay


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(
        __doc__, "mpra_simulate.py models/json/lac_thermodynamic.json -o data/lac_simulated"
    )
    parser.add_argument("params", type=console.spec_file, help="JSON spec of the mechanism")
    parser.add_argument("-o", "--out_dir", required=True, help="directory to write")
    parser.add_argument(
        "--sequences",
        type=console.positive_integer,
        default=20_000,
        help="sequences of each library",
    )
    parser.add_argument(
        "--mutation_rate", type=_numbers, default=(0.12,), help="probability that a base is mutated"
    )
    parser.add_argument(
        "--reads", type=_whole_numbers, default=(100_000,), help="reads of each library"
    )
    parser.add_argument("--bins", type=_whole_numbers, default=(9,), help="number of sorted bins")
    parser.add_argument("--cells", type=float, default=200.0, help="sorted cells per sequence")
    parser.add_argument(
        "--copies", type=float, default=1.0, help="mean number of reads of one amplified molecule"
    )
    parser.add_argument(
        "--noise",
        type=float,
        default=1.0,
        help="sd of log fluorescence or of a log read-out, in nats; noise / ln(b) in base b",
    )
    parser.add_argument(
        "--background", type=float, default=1e-3, help="signal of a cell without activity"
    )
    parser.add_argument(
        "--contamination",
        type=float,
        default=0.02,
        help="share of reads that come from all bins equally",
    )
    parser.add_argument(
        "--sorted_only", action="store_true", help="leave out the unsorted sample, bin 0"
    )
    parser.add_argument(
        "--design",
        action="store_true",
        help="report interval widths for each value of --reads, --bins and --mutation_rate",
    )
    parser.add_argument(
        "--seed",
        type=console.whole_number,
        default=0,
        help="seed of the parameters, the library and the reads",
    )
    figure_options.add(parser)
    return parser


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not numbers separated by commas") from None


def _whole_numbers(text: str) -> tuple[int, ...]:
    values = _numbers(text)
    if not all(math.isfinite(value) and value == int(value) for value in values):
        raise argparse.ArgumentTypeError(f"{text!r} is not whole numbers separated by commas")
    return tuple(int(value) for value in values)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    sweeps = {name: getattr(options, name) for name in ("reads", "bins", "mutation_rate")}
    if not options.design:
        for name, values in sweeps.items():
            if len(values) > 1:
                parser.error(f"--{name}: several values need --design; give one value, or --design")

    def command() -> None:
        from akita_bayes.mechanisms import mechanism_spec
        from akita_bayes.regulation.assay import simulated_assay, simulated_assay_files

        mechanism = mechanism_spec.load(options.params)
        kind = mechanism.measurement.kind
        changed = {"unsorted": options.sorted_only} | {
            name: getattr(options, name) != parser.get_default(name)
            for name in ("reads", "bins", "cells", "copies", "noise", "contamination")
        }
        for name in simulated_assay.idle(kind):
            if changed[name]:
                option = "sorted_only" if name == "unsorted" else name
                console.stderr.print(
                    f'--{option}: has no effect on a measurement of kind "{kind}".'
                )
        designs = [
            simulated_assay.Design(
                sequences=options.sequences,
                mutation_rate=rate,
                reads=reads,
                bins=bins,
                unsorted=not options.sorted_only,
                cells=options.cells,
                copies=options.copies,
                noise=options.noise,
                background=options.background,
                contamination=options.contamination,
            )
            for reads in sweeps["reads"]
            for bins in sweeps["bins"]
            for rate in sweeps["mutation_rate"]
        ]
        if options.design:
            _sweep(mechanism, designs, options)
            return
        output_directory.check(options.out_dir, kind="assay", content="own")
        simulated = simulated_assay.simulate(mechanism, designs[0], seed=options.seed)
        simulated_assay_files.write(simulated, mechanism, designs[0], options.out_dir)
        for library in simulated.table.libraries:
            name = f" {library.name}" if library.name else ""
            read_outs = library.columns == ("value",)
            reads = "one read-out each" if read_outs else f"{library.observed.sum():,.0f} reads"
            console.say(f"Library{name}: {len(library.index):,} sequences, {reads}.")
        console.say(f"Wrote {options.out_dir}.")

    claims = "report" if options.design else None
    return console.run(command, options=options, out=options.out_dir, claims=claims)


def _sweep(
    mechanism: "mechanism_spec.Mechanism",
    designs: "list[simulated_assay.Design]",
    options: argparse.Namespace,
) -> None:
    from akita_bayes.regulation.compare import experiment_design
    from akita_bayes.regulation.results import sweep_files

    with console.progress("designs", len(designs)) as advance:
        table = experiment_design.sweep(mechanism, designs, seed=options.seed, advance=advance)
    sweep_files.write(table, options.out_dir, unit=mechanism.unit)
    shown = table.to_string(index=False, float_format=lambda value: f"{value:.3g}")
    console.say(shown)
    console.say(f"Wrote {options.out_dir}.")


if __name__ == "__main__":
    raise SystemExit(main())
