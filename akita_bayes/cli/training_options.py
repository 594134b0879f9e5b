"""Defines the options of trainings once, for akita_train and akita_distill, and runs a training."""

import argparse
import contextlib
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import rich.progress

from akita_bayes.cli import console

if TYPE_CHECKING:
    from akita_bayes.specs.spec import Spec
    from akita_bayes.training.fit import FitOptions, Run

_POLICY: dict[str | None, Any] = {
    None: None,
    "bfloat16": "mixed_bfloat16",
    "float16": "mixed_float16",
}

_OPTIONS: dict[str, dict[str, Any]] = {
    "--epochs": {
        "type": console.positive_integer,
        "help": "largest number of epochs, instead of train_epochs_max in the spec",
    },
    "--seed": {"type": console.seed, "help": "seed, instead of the seed in the spec"},
    "--resume": {"action": "store_true", "help": "continue the run in OUT_DIR"},
    "--deterministic": {
        "action": "store_true",
        "help": "give exactly the same numbers every time; slower on a GPU",
    },
    "--mixed_precision": {
        "flag": "-m",
        "nargs": "?",
        "const": "bfloat16",
        "choices": [name for name in _POLICY if name],
        "help": "compute in half precision; float16 uses loss scaling",
    },
    "--devices": {
        "help": "cpu, cpu:N, gpu, gpu:N or multiworker (default: the first GPU, or the CPU)"
    },
    "--restore": {
        "type": console.model_source,
        "help": "weights to start from: a run, a shipped model, .keras or HDF5",
    },
    "--trunk": {"action": "store_true", "help": "with --restore: restore only the trunk"},
    "--checkpoint_steps": {
        "type": console.positive_integer,
        "help": "save a checkpoint after this many steps",
    },
    "--checkpoint_minutes": {
        "type": console.positive_number,
        "default": 15.0,
        "help": "save a checkpoint after this many minutes",
    },
    "--no_tensorboard": {"action": "store_true", "help": "write no TensorBoard events"},
}


def add(parser: argparse.ArgumentParser, *names: str, **changes: Any) -> None:
    """Adds options of this module to a parser (`console.add_options`)."""
    console.add_options(parser, _OPTIONS, *names, **changes)


def check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuses --trunk without --restore."""
    if options.trunk and not options.restore:
        parser.error("--trunk limits what --restore loads; give --restore too")


def fit_options(
    options: argparse.Namespace, stop: Callable[[], bool], **further: Any
) -> "FitOptions":
    """Returns the settings of `fit` that the options give.

    Args:
        options: Parsed options of this module.
        stop: Function that returns True when the training must stop.
        further: Further fields of `FitOptions`.
    """
    from akita_bayes.training import fit

    return fit.FitOptions(
        seed=options.seed,
        epochs=options.epochs,
        precision=_POLICY[options.mixed_precision],
        devices=options.devices,
        resume=options.resume,
        deterministic=options.deterministic,
        restore=options.restore,
        trunk=options.trunk,
        checkpoint_steps=options.checkpoint_steps,
        checkpoint_minutes=options.checkpoint_minutes,
        tensorboard=not options.no_tensorboard,
        stop=stop,
        **further,
    )


def run(
    options: argparse.Namespace,
    train: "Callable[[Spec, Callable[[], bool], Bars], Run]",
) -> int:
    """Runs a command that trains the network of a spec; returns its exit status.

    Args:
        options: The parsed options, with `params` and `out_dir`.
        train: Function of the spec, of a function that says whether to stop, and of an observer;
            it trains and returns the finished run.
    """
    statuses: list[int] = []

    def command() -> None:
        from akita_bayes.models import zoo

        with _stopping(statuses) as stop:
            spec = zoo.load_network(options.params)
            with Bars() as bars:
                finished = train(spec, stop, bars)
            _report(finished)

    status = console.run(command, options=options, out=options.out_dir, own_record=True)
    return status or sum(statuses)


def _report(run: "Run") -> None:
    """Draws the history, and prints how good the best model is."""
    from akita_bayes.plots import training_plots

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


@contextlib.contextmanager
def _stopping(statuses: list[int]) -> Iterator[Callable[[], bool]]:
    """Yields a function that says whether SIGTERM came; adds the exit status of a stopped run."""
    from akita_bayes.training import preemption

    with preemption.requested() as stop:
        try:
            yield stop
        except preemption.Preempted as stopped:
            console.stderr.print(f"SIGTERM: {stopped}", highlight=False, soft_wrap=True)
            statuses.append(preemption.STATUS)


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
