"""`akita_train.py`: a run from the command line, and one line for everything that can be mended."""

import json
import os
import re
import resource
import signal

import pandas as pd
import pytest

from akita_bayes import files
from akita_bayes.cli import akita_train, training_options
from akita_bayes.training.run_files import checkpoint
from tests import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("train")
    tiny.write_data(folder / "data")
    for name, raw in {
        "params": tiny.spec_json(train_epochs_max=2),
        "unknown_block": tiny.spec_json(model={"trunk": [{"name": "conv_blok"}]}),
        "unknown_loss": tiny.spec_json(loss="msee"),
        "seed": tiny.spec_json(seed=2**32),
        "units": tiny.spec_json(heads=(("hic", 5),)),
    }.items():
        (folder / f"{name}.json").write_text(json.dumps(raw), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def run(folder):
    arguments = [folder / "params.json", folder / "data", "-o", folder / "run", "--devices", "cpu"]
    assert akita_train.main([str(argument) for argument in arguments]) == 0
    return folder / "run"


def test_it_writes_a_run_and_says_how_good_it_is(run, folder, capsys):
    out = folder / "again"
    arguments = [folder / "params.json", folder / "data", "-o", out, "--seed", 5, "--epochs", 1]
    arguments += ["--devices", "cpu", "--no_tensorboard"]
    assert akita_train.main([str(argument) for argument in arguments]) == 0
    captured = capsys.readouterr()
    row = pd.read_csv(out / "history.csv").iloc[0]
    line = next(line for line in captured.err.splitlines() if line.startswith("epoch   1"))
    assert f"train loss {row['train_loss']:.4f}" in line
    assert f"valid loss {row['valid_loss']:.4f}" in line
    assert "learning rate 0.01" in line
    assert f"Best of 1 epochs was 1: validation loss {row['valid_loss']:.4f}" in captured.out
    assert files.read_json(out / "params.json")["train"]["seed"] == 5
    assert (out / "history.png").stat().st_size > 10_000
    assert not (out / "tensorboard").exists()
    assert (run / "tensorboard").exists()


def test_averaged_weights_are_named_and_have_no_numbers_of_training(folder, tmp_path, capsys):
    raw = tiny.spec_json(swa={"start": 1, "snapshots": 3})
    (tmp_path / "swa.json").write_text(json.dumps(raw), encoding="utf-8")
    arguments = [str(tmp_path / "swa.json"), str(folder / "data"), "-o", str(tmp_path / "run")]
    assert akita_train.main([*arguments, "--devices", "cpu"]) == 0
    captured = capsys.readouterr()
    history = pd.read_csv(tmp_path / "run" / "history.csv")
    row = history.iloc[-1]
    (line,) = [line for line in captured.err.splitlines() if line.startswith("averaged weights")]
    assert re.fullmatch(
        rf"averaged weights  \d+\.\d s  valid loss {row['valid_loss']:.4f} "
        rf"r {row['valid_r']:.4f} R2 {row['valid_r2']:.4f}(  best so far)?",
        line,
    )
    assert "nan" not in captured.err
    assert len([line for line in captured.err.splitlines() if line.startswith("epoch  ")]) == 3
    better = row["valid_loss"] < history["valid_loss"].iloc[:3].min()
    assert ("The averaged weights were better than any of 3 epochs" in captured.out) == better


REFUSED = {
    "a missing spec": (["none.json", "data"], "none.json: no such file"),
    "a missing data directory": (["params.json", "none"], "none"),
    "an unknown block": (["unknown_block.json", "data"], 'Did you mean "conv_block"'),
    "an unknown loss": (["unknown_loss.json", "data"], 'train.loss: .* Did you mean "mse"'),
    "statistics that disagree": (["units.json", "data"], "units 5 .* num_targets 2"),
    "an absent GPU": (["params.json", "data", "--devices", "gpu:99"], "gpu:99 asks for 99 GPUs"),
    "unknown devices": (
        ["params.json", "data", "--devices", "abacus"],
        '"abacus" is not a valid choice',
    ),
    "an unknown split": (["params.json", "data", "--tfr_train", "fold9"], "no record file fold9"),
    "an unknown head": (["params.json", "data", "--heads", "hci"], 'Did you mean "hic"'),
    "weights that are none": (["params.json", "data", "--restore", "params.json"], "params.json"),
    "a cut archive": (["params.json", "data", "--restore", "cut.keras"], "cut.keras.* cut short"),
    "a trunk of nothing": (["params.json", "data", "--trunk"], "give --restore too"),
    "a seed below 0": (["params.json", "data", "--seed", "-1"], "'-1' is not a whole number"),
    "a seed too large": (
        ["params.json", "data", "--seed", "4294967296"],
        "'4294967296' is not a whole number below 2,147,483,648",
    ),
    "a spec's seed too large": (
        ["seed.json", "data"],
        "train.seed: expected a number below 2147483648",
    ),
    "no step": (["params.json", "data", "--checkpoint_steps", "0"], "'0' is not a whole number"),
    "no epoch": (["params.json", "data", "--epochs", "0"], "'0' is not a whole number"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_line_and_exit_2(case, folder, tmp_path, monkeypatch, capsys):
    arguments, message = REFUSED[case]
    monkeypatch.chdir(folder)
    (folder / "cut.keras").write_bytes(b"PK and no more")
    try:
        status = akita_train.main([*arguments, "-o", str(tmp_path / "out")])
    except SystemExit as stopped:
        status = stopped.code
    assert status == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if "error: " in line]
    assert len(lines) == 1
    assert re.search(message, lines[0])
    assert not (tmp_path / "out").exists()


def test_a_truncated_record_file_names_itself(folder, tmp_path, capsys):
    data = tiny.write_data(tmp_path / "data", train=12)
    whole = (data / "tfrecords" / "train-1.tfr").read_bytes()
    (data / "tfrecords" / "train-1.tfr").write_bytes(whole[: len(whole) // 2])
    arguments = [str(folder / "params.json"), str(data), "-o", str(tmp_path / "out")]
    assert akita_train.main([*arguments, "--devices", "cpu"]) == 2
    error_lines = [
        line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")
    ]
    assert len(error_lines) == 1
    assert "train-1.tfr" in error_lines[0]


@pytest.mark.parametrize("name", ["out", "out/deeper"])
def test_an_output_that_is_a_file_is_one_line(folder, tmp_path, capsys, name):
    (tmp_path / "out").write_text("years of work")
    arguments = [str(folder / "params.json"), str(folder / "data"), "-o", str(tmp_path / name)]
    assert akita_train.main([*arguments, "--devices", "cpu"]) == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert "a file is where a directory is needed" in lines[0]
    assert (tmp_path / "out").read_text() == "years of work"


def test_an_occupied_directory_is_kept(run, folder, capsys):
    before = (run / "history.csv").read_bytes()
    arguments = [str(folder / "params.json"), str(folder / "data"), "-o", str(run)]
    assert akita_train.main(arguments) == 2
    assert "not empty" in capsys.readouterr().err
    assert (run / "history.csv").read_bytes() == before


def test_a_full_disk_is_one_line_and_the_older_checkpoint_stays(run, folder, capsys):
    """A limit on the size of files stands for the end of a disk: the system refuses the bytes."""
    before = checkpoint.read(run)
    size = (run / checkpoint.FILE).stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    arguments = [str(folder / "params.json"), str(folder / "data"), "-o", str(run), "--resume"]
    resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, hard))
    try:
        status = akita_train.main([*arguments, "--epochs", "3", "--devices", "cpu"])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert status == 2
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error:")]
    assert len(lines) == 1
    assert "the disk is full" in lines[0]
    assert "--resume" in lines[0]
    after = checkpoint.read(run)
    assert after.state == before.state
    assert not list(run.rglob(".*.partial.*"))
    assert akita_train.main([*arguments, "--epochs", "3", "--devices", "cpu"]) == 0
    assert list(pd.read_csv(run / "history.csv")["epoch"]) == [1, 2, 3]


def test_sigterm_writes_a_checkpoint_and_resume_goes_on(run, folder, tmp_path, monkeypatch, capsys):
    """Exit 143 after the present step, and then the numbers of a run without a stop."""
    steps, end_step = [], training_options.Bars.end_step

    def preempted(self, loss, learning_rate):
        end_step(self, loss, learning_rate)
        steps.append(loss)
        if len(steps) == 2:
            os.kill(os.getpid(), signal.SIGTERM)

    monkeypatch.setattr(training_options.Bars, "end_step", preempted)
    arguments = [folder / "params.json", folder / "data", "-o", tmp_path, "--devices", "cpu"]
    arguments = [str(argument) for argument in arguments]
    handler = signal.getsignal(signal.SIGTERM)
    assert akita_train.main(arguments) == 143
    assert len(steps) == 2
    assert signal.getsignal(signal.SIGTERM) is handler
    stderr = " ".join(capsys.readouterr().err.split())
    assert "SIGTERM: stopped in epoch 1 after step 2; --resume goes on from" in stderr
    state = checkpoint.read(tmp_path).state
    assert (state["epoch"], state["step_in_epoch"]) == (0, 2)
    assert akita_train.main([*arguments, "--resume"]) == 0
    # Another test may have continued the run by further epochs.
    history = (tmp_path / "history.csv").read_bytes()
    assert history.count(b"\n") == 3
    assert (run / "history.csv").read_bytes().startswith(history)
