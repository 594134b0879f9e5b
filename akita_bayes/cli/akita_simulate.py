"""Simulates a genome, its contact maps with known truth, and training data.

The folder is a data directory for akita_train.py; its genome.fa and targets.txt are input for
akita_data.py. A loop-extrusion model computes every map from the sequence: docs/simulator.md.
"""

import argparse
import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.simulate.designs import Design


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    options = _parser().parse_args(argv)

    def command() -> None:
        from akita_bayes.simulate import design_json, designs
        from akita_bayes.simulate.simulation_folder import simulation

        preset = designs.PRESETS[options.preset]
        if options.design is not None:
            preset = design_json.with_changes(preset, options.design)
        changes = {
            name: value
            for name in ("genome_mb", "depth", "replicates", "seq_length", "stride")
            if (value := getattr(options, name)) is not None
        }
        if options.replicate_r is not None:
            changes["measurement"] = dataclasses.replace(
                preset.measurement, replicate_r=options.replicate_r
            )
        # Simulated contacts must reach across a whole window.
        changes["max_distance"] = max(preset.max_distance, options.seq_length or 0)
        design = dataclasses.replace(preset, **changes)
        with console.progress("simulating") as advance:
            simulation.simulate(
                options.out,
                design,
                seed=options.seed,
                workers=options.processes,
                with_coolers=not options.no_coolers,
                strain=options.strain,
                advance=advance,
            )
        console.say(_summary(options.out, design))

    return console.run(command, options=options, out=options.out, kind="simulation")


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_simulate.py --preset small -o data/simulated")
    add = parser.add_argument
    add(
        "-o",
        "--out",
        metavar="DIR",
        required=True,
        help="folder to write; replaces an earlier simulation",
    )
    add(
        "--preset",
        choices=("tiny", "small", "medium", "realistic"),
        default="small",
        help="default settings: tiny for tests, small for the demo, medium for benchmarks; "
        "realistic adds smoothing, overdispersion and biases",
    )
    add(
        "--design",
        metavar="JSON",
        help='file with keys that replace those of the preset, as {"measurement": {"dispersion": '
        "0.05}}; docs/simulator.md lists them",
    )
    add(
        "--genome_mb",
        type=console.positive_number,
        help="megabases of the training genome; held-out chromosomes are added",
    )
    add(
        "--depth",
        type=console.positive_number,
        help="read pairs per kb and cell type, counting pairs at least 5 kb apart",
    )
    add(
        "--replicates",
        type=console.positive_integer,
        help="replicates, at least 2, which share the read pairs",
    )
    add(
        "--replicate_r",
        type=console.positive_number,
        help="wanted correlation of two replicates; sets the bias of replicates (or the depth, "
        "with solve_for in --design)",
    )
    add("--seq_length", type=console.positive_integer, help="length of a window in bases")
    add(
        "--stride", type=console.positive_integer, help="bases from one training window to the next"
    )
    add("--seed", type=console.whole_number, default=0, help="the same seed gives the same data")
    add(
        "-p",
        "--processes",
        type=console.positive_integer,
        default=2,
        help="chromosomes to simulate at the same time",
    )
    add(
        "--strain",
        type=console.share,
        default=0.0,
        metavar="SHARE",
        help="also simulate a second strain, in which this share of the bases differs: its maps of "
        "held-out windows go to strain/, its variants to strain.vcf",
    )
    add("--no_coolers", action="store_true", help="write no coolers; takes half of the time")
    return parser


def _summary(out: str, design: "Design") -> str:
    from akita_bayes import files
    from akita_bayes.data.records import statistics

    counts = statistics.read(out).seqs
    ceiling = files.read_json(f"{out}/truth/ceiling.json")["test"]
    replicate = sum(ceiling["replicate_pearson"]) / len(design.cell_types)
    best = sum(ceiling["target_truth_pearson"]) / len(design.cell_types)
    windows = ", ".join(f"{count} {split}" for split, count in counts.items())
    return (
        f"{out}: windows of {design.seq_length:,} bp ({windows}), cell types "
        f"{', '.join(design.cell_types)}. Replicates agree with r {replicate:.3f}; a perfect model "
        f"would reach r {best:.3f} on these data."
    )


if __name__ == "__main__":
    raise SystemExit(main())
