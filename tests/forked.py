"""Starts processes that a server forks, which has loaded TensorFlow once for all of them.

Loading TensorFlow takes some seconds of the processor, and a fork takes next to nothing. The server
is another interpreter than that of the tests: it has its own seed of hashes, and TensorFlow has not
computed anything in it, so that a process may still choose its devices and threads.
"""

import multiprocessing
import os

PRELOAD = [
    *("tensorflow", "keras", "matplotlib.pyplot", "akita_bayes.training.fit"),
    *("akita_bayes.plots.reports.variant_report", "akita_bayes.plots.reports.accuracy_report"),
    *("akita_bayes.plots.reports.calibration_report", "akita_bayes.regulation.results.fit_files"),
    *("akita_bayes.evaluate.prediction_files", "akita_bayes.data.preparation.data_directory"),
]


def context():
    """The context of `multiprocessing` whose processes are forks of the server."""
    forkserver = multiprocessing.get_context("forkserver")
    forkserver.set_forkserver_preload(PRELOAD)
    return forkserver


def start(function, *arguments, stderr_file, environment=None):
    """Starts a process that calls a function of a module and ends with the status it returns."""
    process = context().Process(
        target=_call, args=(function, arguments, str(stderr_file), environment or {})
    )
    process.start()
    return process


def finish(process, stderr_file, expected=0):
    """Waits for the end of a process; its status, or minus its signal, must be the expected."""
    process.join(300)
    if process.exitcode is None:
        process.kill()
        raise AssertionError(f"still runs after 300 s: {stderr_file.read_text('utf-8')[-2000:]}")
    assert process.exitcode == expected, stderr_file.read_text("utf-8")[-2000:]


def _call(function, arguments, stderr_file, environment):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    os.dup2(os.open(stderr_file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), 2)
    os.environ.update(environment)
    raise SystemExit(function(*arguments))
