"""Trains the model of a spec on one or several data directories.

Writes a run directory: params.json with all defaults, provenance.json, history.csv, history.png,
model_best.keras, model_best.h5 for Basenji, checkpoint/ and tensorboard/. --resume continues a run
that was stopped and reaches the same numbers as a run without a stop.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import rich.progress

from akita_bayes.cli import basenji_options, console, figure_options

_POLICY: dict[str | None, Any] = {
    None: None,
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}


def _parser() -> argparse.ArgumentParser:
    parser = console.parser(__doc__, "akita_train.py models/json/akita_tiny.json data/demo -o run")
    parser.add_argument("params", type=console.spec_file, help="JSON spec of the model")
    parser.add_argument(
        "data_dir",
        nargs="+",
        type=console.existing_directory,
        help="data directory; one for each head, in the order of the spec",
    )
    parser.add_argument("-o", "--out_dir", default="train_out", help="run directory to write")
    parser.add_argument(
        "--epochs",
        type=console.positive_integer,
        help="largest number of epochs, instead of train_epochs_max in the spec",
    )
    parser.add_argument("--seed", type=console.seed, help="seed, instead of the seed in the spec")
    parser.add_argument("--resume", action="store_true", help="continue the run in OUT_DIR")
    parser.add_argument(
        "--deterministic",
        action="store_true",
        help="give exactly the same numbers every time; slower on a GPU",
    )
    parser.add_argument(
        "-m",
        "--mixed_precision",
        nargs="?",
        const="bfloat16",
        choices=[name for name in _POLICY if name],
        help="compute in half precision; float16 uses loss scaling",
    )
    parser.add_argument(
        "--devices",
        help="cpu, cpu:N, gpu, gpu:N or multiworker (default: the first GPU, or the CPU)",
    )
    parser.add_argument("--heads", type=console.words, help="heads to train, comma-separated")
    parser.add_argument(
        "--restore",
        type=console.model_source,
        help="weights to start from: a run, a shipped model, .keras or HDF5",
    )
    parser.add_argument(
        "--trunk", action="store_true", help="with --restore: restore only the trunk"
    )
    rate = parser.add_mutually_exclusive_group()
    rate.add_argument(
        "--lr_trunk",
        type=console.share,
        help="factor of the learning rate for the trunk, 0 to 1, instead of trunk_rate in the spec",
    )
    rate.add_argument(
        "--freeze",
        choices=("trunk", "none"),
        help="trunk: leave the trunk as it is; none: train all at the same rate",
    )
    parser.add_argument(
        "--tfr_train",
        type=console.words,
        default=("train",),
        help="splits to train on, or a pattern of record files",
    )
    parser.add_argument(
        "--tfr_eval",
        type=console.words,
        default=("valid",),
        help="splits for validation, or a pattern of record files",
    )
    parser.add_argument(
        "--checkpoint_steps",
        type=console.positive_integer,
        help="save a checkpoint after this many steps",
    )
    parser.add_argument(
        "--checkpoint_minutes",
        type=console.positive_number,
        default=15.0,
        help="save a checkpoint after this many minutes",
    )
    parser.add_argument("--no_tensorboard", action="store_true", help="write no TensorBoard events")
    figure_options.add(parser)
    basenji_options.add(parser, "akita_train")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command; returns its exit status."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.trunk and not options.restore:
        parser.error("--trunk limits what --restore loads; give --restore too")

    statuses: list[int] = []

    def command() -> None:
        from akita_bayes.training import preemption

        with preemption.requested() as stop:
            try:
                train(stop)
            except preemption.Preempted as stopped:
                console.stderr.print(f"SIGTERM: {stopped}", highlight=False, soft_wrap=True)
                statuses.append(preemption.STATUS)

    def train(stop: Callable[[], bool]) -> None:
        from akita_bayes.models import zoo
        from akita_bayes.plots import training_plots
        from akita_bayes.training import fit

        spec = zoo.load_network(options.params)
        with Bars() as bars:
            run = fit.fit(
                spec,
                options.data_dir,
                out_dir=options.out_dir,
                options=fit.FitOptions(
                    seed=options.seed,
                    epochs=options.epochs,
                    precision=_POLICY[options.mixed_precision],
                    devices=options.devices,
                    heads=options.heads,
                    resume=options.resume,
                    deterministic=options.deterministic,
                    restore=options.restore,
                    trunk=options.trunk,
                    trunk_rate=_trunk_rate(options),
                    train_split=options.tfr_train,
                    valid_split=options.tfr_eval,
                    checkpoint_steps=options.checkpoint_steps,
                    checkpoint_minutes=options.checkpoint_minutes,
                    tensorboard=not options.no_tensorboard,
                    stop=stop,
                ),
                observer=bars,
            )
        training_plots.write(run.history, run.out_dir, best_epoch=run.best_epoch)
        best = run.best
        result = (
            f"The averaged weights were better than any of {run.epochs} epochs"
            if run.averaged
            else f"Best of {run.epochs} epochs was {run.best_epoch}"
        )
        console.say(
            f"{result}: validation loss "
            f"{best['valid_loss']:.4f}, r {best['valid_r']:.4f}, R2 {best['valid_r2']:.4f}. "
            f"The model is in {run.out_dir}."
        )

    status = console.run(command, options=options, out=options.out_dir, own_record=True)
    return status or sum(statuses)


def _trunk_rate(options: argparse.Namespace) -> float | None:
    """Returns the factor of the trunk's rate that the options ask for; None for the spec's."""
    rates = {"trunk": 0.0, "none": 1.0}
    return rates[options.freeze] if options.freeze else options.lr_trunk


class Bars:
    """Shows the progress of each epoch, and prints a line when the epoch ends."""

    def __init__(self) -> None:
        self._bars = rich.progress.Progress(
            rich.progress.TextColumn("{task.description}"),
            rich.progress.BarColumn(),
            rich.progress.MofNCompleteColumn(),
            rich.progress.TimeElapsedColumn(),
            rich.progress.TimeRemainingColumn(),
            rich.progress.TextColumn("{task.fields[note]}"),
            console=console.stderr,
            transient=True,
        )
        self._whole = self._bars.add_task("training", note="", visible=False)
        self._part = self._bars.add_task("epoch", note="", visible=False)
        self._steps = self._steps_before = 0

    def __enter__(self) -> "Bars":
        self._bars.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bars.stop()

    def begin_epoch(self, epoch: int, epochs: int, steps: int, done: int) -> None:
        """Starts the bar of an epoch."""
        self._steps = steps
        self._steps_before = steps * (epoch - 1)
        self._bars.update(
            self._whole,
            total=steps * epochs,
            completed=self._steps_before + done,
            visible=True,
            description=f"epoch {epoch} of at most {epochs}",
        )
        self._bars.reset(self._part, total=steps, completed=done, visible=True, description="steps")

    def end_step(self, loss: float, learning_rate: float) -> None:
        """Advances both bars by one step."""
        self._bars.advance(self._whole)
        self._bars.update(
            self._part, advance=1, note=f"loss {loss:.4f}, learning rate {learning_rate:.3g}"
        )

    def begin_validation(self, steps: int) -> None:
        """Turns the bar of steps into a bar of validation steps."""
        self._bars.reset(self._part, total=steps, description="validation")

    def end_validation_step(self) -> None:
        """Advances the bar of validation."""
        self._bars.advance(self._part)

    def end_epoch(self, row: Mapping[str, float], seconds: float) -> None:
        """Prints the epoch's line above the bars."""
        self._print(
            f"epoch {row['epoch']:>3}  {seconds:6.1f} s  learning rate {row['learning_rate']:.3g}"
            f"  train loss {row['train_loss']:.4f} r {row['train_r']:.4f}",
            row,
        )

    def begin_renewal(self, steps: int) -> None:
        """Turns the bar of steps into a bar of batch statistics."""
        self._bars.update(self._whole, description="averaged weights")
        self._bars.reset(self._part, total=steps, description="batch statistics", note="")

    def end_renewal_step(self) -> None:
        """Advances the bar of batch statistics."""
        self._bars.advance(self._part)

    def end_averaging(self, row: Mapping[str, float], seconds: float) -> None:
        """Prints the line of the averaged weights, which have only validation numbers."""
        self._print(f"averaged weights  {seconds:.1f} s", row)

    def _print(self, beginning: str, row: Mapping[str, float]) -> None:
        best = "  best so far" if row["best"] else ""
        self._bars.console.print(
            f"{beginning}  valid loss {row['valid_loss']:.4f} r {row['valid_r']:.4f}"
            f" R2 {row['valid_r2']:.4f}{best}",
            highlight=False,
            soft_wrap=True,
        )
