import copy
import json
import pickle
from typing import Any

import pytest

from akita_bayes import errors
from akita_bayes.specs import spec
from tests.spec_json import VOCABULARY, changed, parse, raw


def test_every_default_is_resolved_and_globals_reach_the_blocks_that_know_them():
    block = parse(raw()).model.trunk[0]
    assert block.arguments == {
        "filters": 8,
        "kernel_size": 1,
        "pool_size": 2,
        "dropout": 0.0,
        "activation": "gelu",
        "norm_type": "batch",
        "padding": "same",
    }
    assert parse(raw()).train.shuffle_buffer == 128
    assert parse(raw()).model.heads[0].blocks[0].arguments == {"operation": "mean"}


def test_a_block_overrides_a_global_even_with_null():
    assert parse(changed("model.trunk[0].norm_type", None)).model.trunk[0].norm_type is None


def test_dumps_is_read_back_equal_and_spells_everything_out():
    once = parse(raw())
    text = spec.dumps(once)
    twice = parse(json.loads(text))
    assert twice == once
    assert spec.dumps(twice) == text
    assert str(once) == text
    written = json.loads(text)
    assert written["model"]["trunk"][0]["dropout"] == 0.0
    assert written["train"]["momentum"] == 0.99


def test_a_spec_cannot_be_changed():
    loaded = parse(raw())
    with pytest.raises(ValueError, match="frozen"):
        loaded.train.batch_size = 8  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        loaded.model.trunk[0].filters = 8  # type: ignore[attr-defined]


def test_an_output_without_activation_is_linear_and_says_so(caplog):
    loaded = parse(changed("model.head_hic[3].activation", "-"))
    assert loaded.model.heads[0].blocks[3].activation == "linear"
    assert 'model.head_hic[3]: final without "activation" is linear' in caplog.text
    caplog.clear()
    parse(raw())
    assert not caplog.text


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("modle", {}, 'modle: no such key. Did you mean "model"?'),
        ("model.seq_lenght", 1, 'model.seq_lenght: no such key. Did you mean "seq_length"?'),
        ("model.headhic", [], "model.headhic: no such key."),
        ("model.seq_length", "-", "model.seq_length: is missing; add it."),
        ("model.seq_length", 0, "model.seq_length: expected a number above 0, got 0."),
        ("model.seq_length", "8192", 'model.seq_length: expected a whole number, got "8192".'),
        ("model.augment_shift", True, "model.augment_shift: expected a whole number, got true."),
        (
            "model.augment_shift",
            [1, 2],
            "model.augment_shift: expected a whole number, got [1, 2].",
        ),
        ("model.norm_type", 3, "model.norm_type: expected text in quotes, got 3."),
        ("model.trunk", {}, "model.trunk: expected a block"),
        ("model.trunk", [], "model.trunk: expected a list of blocks, got []."),
        ("model.trunk[1]", "conv", "model.trunk[1]: expected a block"),
        (
            "model.trunk[1].name",
            "conv_towr",
            'model.trunk[1].name: no block is called "conv_towr". Did you mean "conv_tower"?',
        ),
        (
            "model.trunk[0].filtrs",
            8,
            'model.trunk[0].filtrs: no such key in conv_block. Did you mean "filters"?',
        ),
        ("model.trunk[0].filters", "-", "model.trunk[0].filters: is missing; conv_block needs it."),
        (
            "model.trunk[0].filters",
            8.5,
            "model.trunk[0].filters: expected a whole number, got 8.5.",
        ),
        (
            "model.trunk[0].norm_type",
            "bach",
            'model.trunk[0].norm_type: expected "batch" or "layer", got "bach".'
            ' Did you mean "batch"?',
        ),
        ("model.head_hic[2].offset", 2, "model.head_hic[2].offset: no such key in upper_tri."),
        ("model.head_hic", "-", "model: has no head"),
        ("train.batch_sise", 2, 'train.batch_sise: no such key. Did you mean "batch_size"?'),
        ("train.batch_size", 0, "train.batch_size: expected a number above 0, got 0."),
        ("train.seed", 2**31, "train.seed: expected a number below 2147483648, got 2147483648."),
        ("train.seed", -1, "train.seed: expected a number of 0 or more, got -1."),
        ("train.loss", "msee", 'got "msee". Did you mean "mse"?'),
        ("train.elbo", {}, 'train: elbo options are given, but the loss is "mse".'),
        ("train.swa.strat", 3, 'train.swa.strat: no such key. Did you mean "start"?'),
        ("train.decay_rate", 0.9, "train: decay_rate also needs decay_steps."),
        (
            "train.maximal_learning_rate",
            0.1,
            "train: maximal_learning_rate also needs initial_learning_rate, "
            "final_learning_rate, train_epochs_cycle1.",
        ),
        ("train.train_epochs_max", 0, "train.train_epochs_max: expected a number above 0"),
        ("train", [], "train: expected an object, got []."),
        ("model", None, "model: expected an object, got null."),
    ],
)
def test_what_is_wrong_is_named_by_its_path(path: str, value: Any, message: str):
    with pytest.raises(errors.SpecError) as caught:
        parse(changed(path, value))
    assert message in str(caught.value)
    assert str(caught.value).startswith(message.split(":")[0]) or message.startswith("got")


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"clip_norm": 10, "global_clipnorm": 20}, "clip_norm and global_clipnorm exclude"),
        ({"clip_norm": 10, "clipnorm": 10}, "train.clipnorm: the old spelling of clip_norm"),
        ({"train_epochs_min": 9, "train_epochs_max": 3}, "train_epochs_min 9 is above"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(pair: dict[str, Any], message: str):
    value = raw()
    value["train"].update(pair)
    with pytest.raises(errors.SpecError, match=message):
        parse(value)


def test_old_spellings_mean_what_they_meant():
    old = raw()
    old["train"].update(clipnorm=10.7, optimizer="momentum")
    model = old["model"]
    model["batch_norm"] = bool(model.pop("norm_type"))
    model["verbose"] = False
    model["target_length"], model["target_crop"] = 64, 4
    model["augment_shift"] = [3]
    model["head_hic"][0] = {"name": "average_to_2d"}
    model["head_hic"][2] = {"name": "upper_triu", "diagonal_offset": 2}
    new = raw()
    new["train"]["clip_norm"] = 10.7
    assert parse(old) == parse(new)


def test_batch_norm_of_a_block_is_translated_too():
    value = raw()
    value["model"]["trunk"][0]["batch_norm"] = False
    assert parse(value).model.trunk[0].norm_type is None
    value["model"]["trunk"][0]["norm_type"] = "batch"
    with pytest.raises(errors.SpecError, match=r"^model\.trunk\[0\]\.batch_norm: the old"):
        parse(value)


@pytest.mark.parametrize("length", [64, 56, 1485])
@pytest.mark.parametrize("crop", [4, 512])
def test_a_dead_key_that_agrees_with_the_blocks_passes(length: int, crop: int):
    value = raw()
    value["model"].update(target_length=length, target_crop=crop)
    assert parse(value) == parse(raw())


@pytest.mark.parametrize(("key", "value"), [("target_length", 63), ("target_crop", 32)])
def test_a_dead_key_that_contradicts_the_blocks_is_an_error_with_both_numbers(key, value):
    expected = {"target_length": "64 or 56 or 1485", "target_crop": "4 or 512"}[key]
    with pytest.raises(
        errors.SpecError, match=rf"^model\.{key}: {value} disagrees .* give {expected};"
    ):
        parse(changed(f"model.{key}", value))


def test_the_diagonal_offset_is_one_number():
    with pytest.raises(
        errors.SpecError,
        match=r"^model\.head_hic\[2\]\.diagonal_offset: 3 disagrees with model\.diagonal_offset 2",
    ):
        parse(changed("model.head_hic[2].diagonal_offset", 3))
    assert parse(changed("model.diagonal_offset", "-")).model.diagonal_offset == 2


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        (
            "model.head_hic[1].cropping",
            32,
            r"\[1\]: cropping_2d: cropping 32 on each side leaves nothing of 64 bins",
        ),
        ("model.head_hic[0]", "-", r"\[1\]: upper_tri: needs a map; put one_to_two before it"),
        (
            "model.head_hic[1].cropping",
            31,
            r"\[2\]: upper_tri: diagonal_offset 2 leaves nothing of 2 bins",
        ),
    ],
)
def test_blocks_that_leave_nothing_are_refused(path: str, value: Any, message: str):
    with pytest.raises(errors.SpecError, match=rf"^model\.head_hic{message}"):
        parse(changed(path, value))


def test_geometry_follows_the_blocks():
    geometry = parse(raw()).geometry()
    assert geometry.bin_width == 128
    assert geometry.uncropped_bins == 64
    assert (geometry.crop, geometry.crop_bp) == (4, 512)
    assert geometry.bins == 56
    assert geometry.target_length == 54 * 55 // 2
    assert geometry.units == 5


STATISTICS = {
    "seq_length": 8192,
    "pool_width": 128,
    "crop_bp": 512,
    "diagonal_offset": 2,
    "target_length": 1485,
    "num_targets": 5,
}


def test_statistics_that_agree_pass_and_absent_keys_are_not_missed():
    parse(raw()).check_statistics(STATISTICS)
    parse(raw()).check_statistics({"seq_length": 8192, "num_targets": 5, "train_seqs": 9})


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("seq_length", 4096, "model.seq_length: 8192 of the spec disagrees with seq_length 4096"),
        ("pool_width", 256, "model.head_hic: bin width 128 of the spec .* pool_width 256"),
        ("crop_bp", 0, "cropped bases per side 512 of the spec disagrees with crop_bp 0"),
        ("diagonal_offset", 1, "model.diagonal_offset: 2 of the spec .* diagonal_offset 1"),
        ("target_length", 1596, "output length 1485 of the spec .* target_length 1596"),
        ("num_targets", 2, "model.head_hic: units 5 of the spec disagrees with num_targets 2"),
    ],
)
def test_statistics_that_disagree_name_both_numbers(key: str, value: int, message: str):
    with pytest.raises(errors.SpecError, match=message):
        parse(raw()).check_statistics({**STATISTICS, key: value})


def two_heads() -> spec.Spec:
    value = raw()
    value["model"]["head_10"] = value["model"].pop("head_hic")
    value["model"]["head_9"] = [*value["model"]["head_10"][:3], {"name": "final", "units": 2}]
    return parse(value)


def test_heads_come_in_natural_order_and_are_found_by_name_and_number():
    loaded = two_heads()
    assert loaded.head_names == ("9", "10")
    assert loaded.geometry("10").units == loaded.geometry(1).units == 5
    assert loaded.head("9") is loaded.head(0)
    for wrong in ("11", 2, -1, None):
        with pytest.raises(errors.SpecError, match=r"^model: "):
            loaded.head(wrong)
    loaded.check_statistics({**STATISTICS, "num_targets": 2}, "9")


def test_a_head_can_stand_alone():
    loaded = two_heads()
    assert loaded.only("9").head_names == ("9",)
    assert parse(json.loads(spec.dumps(loaded.only("9")))) == loaded.only("9")


def test_a_single_head_may_be_one_block_called_head():
    value = raw()
    value["model"]["head"] = {"name": "final", "units": 3, "activation": "softplus"}
    del value["model"]["head_hic"]
    loaded = parse(value)
    assert loaded.head_names == ("head",)
    assert loaded.geometry().target_length == 64
    assert parse(json.loads(spec.dumps(loaded))) == loaded


@pytest.mark.parametrize("pairs", [[[0, 1]], [[1, 0, 2, 3, 3]], [[1, 2, 3, 4, 0]], [[], []]])
def test_strand_pairs_pair_all_targets_of_a_head_mutually(pairs: list[list[int]]):
    with pytest.raises(errors.SpecError, match=r"^model\.strand_pair"):
        parse(changed("model.strand_pair", pairs))
    good = parse(changed("model.strand_pair", [[1, 0, 2, 4, 3]]))
    assert good.model.strand_pair == ((1, 0, 2, 4, 3),)


def test_load_names_the_file(tmp_path):
    path = tmp_path / "params.json"
    path.write_text(json.dumps(raw()))
    assert spec.load(path, VOCABULARY) == parse(raw())
    path.write_text(json.dumps(changed("model.sequence_length", 4)))
    with pytest.raises(errors.SpecError, match=rf"^{path}: model\.sequence_length: no such key"):
        spec.load(path, VOCABULARY)
    path.write_text('{"model": }')
    with pytest.raises(errors.DataError, match="line 1, column 11"):
        spec.load(path, VOCABULARY)
    with pytest.raises(errors.DataError, match="no such file"):
        spec.load(tmp_path / "absent.json", VOCABULARY)


def test_training_is_changed_without_a_file():
    loaded = parse(raw())
    shorter = loaded.with_training(seed=3, train_epochs_max=4, swa={"start": 2})
    written = {"seed": 3, "train_epochs_max": 4, "swa": {"start": 2}}
    assert shorter == parse(changed("train", {**raw()["train"], **written}))
    assert (loaded.train.seed, loaded.train.swa) == (0, None)
    assert shorter.model is loaded.model
    swa = shorter.train.swa.model_copy(update={"start": 1})
    assert shorter.with_training(swa=swa).train.swa.start == 1
    assert shorter.with_training(swa=None).train.swa is None


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_sise": 2}, r'^train\.batch_sise: no such key\. Did you mean "batch_size"'),
        ({"seed": "3"}, r'^train\.seed: expected a whole number, got "3"'),
        ({"swa": {"start": -1}}, r"^train\.swa\.start: expected a number of 0 or more, got -1"),
        ({"train_epochs_min": 20_000}, "^train: train_epochs_min 20000 is above"),
    ],
)
def test_a_changed_training_is_checked(changes: dict[str, Any], message: str):
    with pytest.raises(errors.SpecError, match=message):
        parse(raw()).with_training(**changes)


def test_a_posterior_cannot_be_changed_to_another_loss():
    value = changed("model.trunk[1]", {"name": "normal_latent", "units": 8})
    value["train"]["loss"] = "elbo"
    with pytest.raises(errors.SpecError, match="holds a posterior"):
        parse(value).with_training(loss="mse", elbo=None)


def test_the_network_is_changed_without_a_file():
    loaded = two_heads()
    assert loaded.with_model(augment_shift=0).model.augment_shift == 0
    assert loaded.with_model(seq_length=16384).geometry("9").uncropped_bins == 128
    assert loaded.with_model(heads=["10", "9"]) == loaded
    assert loaded.with_model(heads=["10"]) == loaded.only("10")
    pairs = loaded.with_model(strand_pair=[[1, 0], []])
    assert pairs.only("9").model.strand_pair == ((1, 0),)
    for changes, message in (
        ({"augment_shfit": 1}, r"^model\.augment_shfit: no such key\. Did you mean"),
        ({"norm_type": "layer"}, r"^model\.norm_type: no such key"),
        ({"heads": ["eleven"]}, 'has no head "eleven"'),
        ({"seq_length": 64}, r"^model\.head_9\[1\]: cropping_2d: "),
        ({"strand_pair": [[1, 0]]}, "1 lists for 2 heads"),
    ):
        with pytest.raises(errors.SpecError, match=message):
            loaded.with_model(**changes)


def test_a_spec_and_its_geometry_survive_copies():
    loaded = parse(raw())
    for copied in (copy.deepcopy(loaded), pickle.loads(pickle.dumps(loaded))):
        assert copied == loaded
        assert copied.geometry() == loaded.geometry()


def test_a_block_made_by_hand_has_no_geometry():
    loaded = parse(raw())
    alone = spec.BlockSpec(name="final", units=3)
    model = loaded.model.model_copy(update={"trunk": (alone,)})
    with pytest.raises(errors.SpecError, match=r"^model\.trunk\[0\]: final: .* no declared"):
        model.geometry(model.heads[0])
