"""Data from files, and splits that share nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.shared import SHARED
from tinyforge.errors import TinyforgeError, UsageError
from tinyforge.search.augment import STEPS, augmentation, soft_labels
from tinyforge.search.dataset import PIXELS, Dataset, RawData, Samples, Scaling, make_dataset, resized
from tinyforge.search.logmel import front_end_for, log_mel
from tinyforge.search.sources import load_data


def raw(count: int = 200, groups: np.ndarray | None = None) -> RawData:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 256, (count, 6, 6, 1)).astype(np.uint8)
    return RawData("made", "image", Samples(x, np.arange(count) % 4, groups), None, ("a", "b", "c", "d"))


def contents(samples: Samples) -> set[bytes]:
    return {x.tobytes() for x in samples.x}


def test_splits_share_no_sample_and_lose_none() -> None:
    data = make_dataset(raw(), 0)
    parts = [contents(p) for p in (data.train, data.validation, data.test)]
    assert sum(map(len, parts)) == 200 == len(set.union(*parts))
    assert all(set(p.y.tolist()) == {0, 1, 2, 3} for p in (data.train, data.validation, data.test))
    assert data.digest() == make_dataset(raw(), 0).digest() != make_dataset(raw(), 1).digest()


def test_copies_of_a_sample_stay_together() -> None:
    source = raw(80)
    twice = Samples(np.concatenate([source.train.x] * 2), np.concatenate([source.train.y] * 2))
    data = make_dataset(RawData("made", "image", twice, None, source.classes), 0)
    assert not contents(data.train) & contents(data.validation)
    assert not contents(data.train) & contents(data.test)


def test_training_samples_that_are_in_the_test_split_are_left_out() -> None:
    source = raw(80)
    held = source.train.take(np.arange(10))
    data = make_dataset(RawData("made", "image", source.train, held, source.classes), 0)
    assert not contents(data.test) & (contents(data.train) | contents(data.validation))


def test_groups_are_never_cut() -> None:
    groups = np.arange(200) // 10
    data = make_dataset(raw(groups=groups), 0)
    sides = [set(p.groups.tolist()) for p in (data.train, data.validation, data.test) if p.groups is not None]
    assert len(sides) == 3
    assert not sides[0] & sides[1]
    assert not sides[0] & sides[2]
    assert not sides[1] & sides[2]


def test_a_validation_split_of_its_own_is_kept() -> None:
    source = raw(80)
    held, test = source.train.take(np.arange(60, 72)), source.train.take(np.arange(66, 80))
    data = make_dataset(RawData("made", "image", source.train, test, source.classes, validation=held), 0)
    assert (len(data.train), len(data.validation), len(data.test)) == (60, 6, 14)
    with pytest.raises(UsageError, match="no validation samples are left"):
        make_dataset(RawData("made", "image", source.train, held, source.classes, validation=held), 0)


def test_copies_of_a_recording_stay_together() -> None:
    source = raw(200)
    x = np.concatenate([source.train.x] * 2)
    x[::5] = 0  # Silence, in every recording.
    twice = Samples(x, np.concatenate([source.train.y] * 2), np.arange(400) // 10)
    data = make_dataset(RawData("made", "image", twice, None, source.classes), 0)
    sides = [{number % 20 for number in p.groups.tolist()} for p in _parts(data) if p.groups is not None]
    assert sum(map(len, sides)) == 20 == len(set.union(*sides))
    held = twice.take(np.arange(60))
    again = make_dataset(RawData("made", "image", twice.take(np.arange(200, 400)), held, source.classes), 0)
    assert len(again.train) + len(again.validation) == 140


def _parts(data: Dataset) -> tuple[Samples, Samples, Samples]:
    return data.train, data.validation, data.test


def test_one_group_cannot_be_split() -> None:
    with pytest.raises(UsageError, match="one group"):
        make_dataset(raw(groups=np.zeros(200, int)), 0)


def test_npz_forms(tmp_path: Path) -> None:
    x, y = raw().train.x, raw().train.y
    np.savez(tmp_path / "a.npz", x_train=x[:150, :, :, 0], y_train=y[:150], x_test=x[150:, :, :, 0], y_test=y[150:])
    np.savez(tmp_path / "b.npz", x=x, y=y + 5, is_test=np.arange(200) >= 150)
    np.savez(
        tmp_path / "c.npz", train_x=x, train_person=y, val_x=x[:9], val_person=y[:9], train_name=np.array(["n"] * 200)
    )
    first, second, third = (load_data(str(tmp_path / f"{n}.npz")) for n in "abc")
    assert first.test is not None
    assert second.test is not None
    np.testing.assert_array_equal(first.test.x, second.test.x)
    assert second.classes == ("5", "6", "7", "8")
    assert second.train.y.max() == 3
    assert third.test is not None
    assert len(third.test) == 9
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_val=x[:20], y_val=y[:20], x_test=x[:9], y_test=y[:9])
    fourth = load_data(str(tmp_path / "d.npz"))
    assert fourth.validation is not None
    assert fourth.test is not None
    assert (len(fourth.validation), len(fourth.test)) == (20, 9)


def test_a_test_file_has_the_same_classes(tmp_path: Path) -> None:
    x, y = raw().train.x, raw().train.y
    names = np.asarray(["ant", "bee", "cat", "dog"])
    np.savez(tmp_path / "train.npz", x=x, y=y, classes=names)
    some = y >= 2
    np.savez(tmp_path / "named.npz", x=x[some], y=y[some] - 2, classes=names[2:])
    np.savez(tmp_path / "numbered.npz", x=x[some], y=y[some])
    for name in ("named", "numbered"):
        found = load_data(str(tmp_path / "train.npz"), str(tmp_path / f"{name}.npz"))
        assert found.test is not None
        np.testing.assert_array_equal(found.test.y, y[some])
    np.savez(tmp_path / "strange.npz", x=x[some], y=y[some] - 2, classes=np.asarray(["cat", "eel"]))
    with pytest.raises(UsageError, match=r"strange\.npz: class eel"):
        load_data(str(tmp_path / "train.npz"), str(tmp_path / "strange.npz"))


@pytest.mark.parametrize(
    "arrays, message",
    [
        ({"z": np.zeros(3)}, "it needs x_train and y_train"),
        ({"x": np.zeros((4, 3, 3), np.uint8)}, "no labels y"),
        ({"x": np.zeros((4, 3, 3), np.uint8), "y": np.zeros(3, int)}, "one integer or name for each"),
        ({"x": np.zeros((4, 3, 3), np.uint8), "y": np.eye(4)}, r"not float64 of shape \(4, 4\)"),
        ({"x": np.full((4, 3, 3), np.nan), "y": np.zeros(4, int)}, "not finite, the first in sample 0"),
        ({"x": np.zeros((4, 3, 3)), "y": np.zeros(4, int), "kind": "picture"}, "kind is 'picture'"),
        ({"x": np.full((4, 3, 3), 7.0), "y": np.zeros(4, int), "kind": "image"}, "floats from 0 to 1"),
        ({"x": np.zeros((4, 3), np.uint8), "y": np.zeros(4, int)}, "2 or 3 axes"),
    ],
)
def test_wrong_npz(tmp_path: Path, arrays: dict[str, np.ndarray], message: str) -> None:
    np.savez(tmp_path / "w.npz", **arrays)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=message):
        load_data(str(tmp_path / "w.npz"))


def test_pixels_from_0_to_1_are_images(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).integers(0, 256, (80, 8, 8, 3)).astype(np.uint8), np.arange(80) % 4
    np.savez(tmp_path / "colours.npz", x=x / 255, y=y)
    np.savez(tmp_path / "grey.npz", x=(x[..., 0] / 255).astype(np.float32), y=y, kind="image")
    np.savez(tmp_path / "steps.npz", x=x[..., 0] / 255, y=y)
    colours, grey, steps = (load_data(str(tmp_path / f"{name}.npz")) for name in ("colours", "grey", "steps"))
    np.testing.assert_array_equal(colours.train.x, x)
    np.testing.assert_array_equal(grey.train.x, x[..., :1])
    assert (colours.kind, grey.kind, steps.kind) == ("image", "image", "signal")
    assert steps.train.x.shape == (80, 8, 1, 8)


def test_labels_as_people_have_them(tmp_path: Path) -> None:
    x, y = raw().train.x, raw().train.y
    np.savez(tmp_path / "column.npz", x=x, y=y[:, None])
    np.savez(tmp_path / "names.npz", x=x, y=np.asarray(["ant", "bee", "cat", "dog"])[y])
    np.savez(tmp_path / "truth.npz", x=x, y=y >= 2)
    column, names, truth = (load_data(str(tmp_path / f"{name}.npz")) for name in ("column", "names", "truth"))
    np.testing.assert_array_equal(column.train.y, y)
    np.testing.assert_array_equal(names.train.y, y)
    assert names.classes == ("ant", "bee", "cat", "dog")
    np.testing.assert_array_equal(truth.train.y, y >= 2)


def test_quantised_features_stay_integers(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.integers(-128, 128, (80, 49, 10, 1)).astype(np.int8), np.arange(80) % 4
    np.savez(tmp_path / "features.npz", x=x, y=y)
    data = make_dataset(load_data(str(tmp_path / "features.npz")), 0)
    assert data.kind == "spectrogram"
    assert data.train.x.dtype == np.int8
    scaled = data.scaling.apply(data.train.x)
    assert abs(scaled.mean()) < 0.1
    assert abs(scaled.std() - 1) < 0.1
    np.savez(tmp_path / "floats.npz", x=x.astype(np.float32), y=y)
    with pytest.raises(UsageError, match=r"holds float32 samples, .* int8"):
        load_data(str(tmp_path / "features.npz"), str(tmp_path / "floats.npz"))


def test_no_such_data() -> None:
    with pytest.raises(UsageError, match=r"digits, cifar10, mnist"):
        load_data("nowhere")


def test_log_mel_is_that_of_the_shared_data() -> None:
    path = SHARED / "datasets" / "fsdd_spoken_digits_8k.npz"
    if not path.is_file():
        pytest.skip(f"{path} is not there (set TINYFORGE_SHARED)")
    with np.load(path) as file:
        length = int(file["length"][0])
        pcm, expected = file["pcm"][:length], file["logmel"][0]
    made = log_mel(pcm, front_end_for(8000))
    frames = min(len(made), (length - 256) // 128)
    assert np.corrcoef(made[:frames].ravel(), expected[:frames].ravel())[0, 1] > 0.95


def test_resizing_keeps_type_and_mean() -> None:
    x = raw(4).train.x
    assert resized(x, (6, 6, 1)) is not None
    np.testing.assert_array_equal(resized(x, (6, 6, 1)), x)
    small = resized(x, (3, 3, 1))
    assert small.dtype == np.uint8
    assert small.shape == (4, 3, 3, 1)
    np.testing.assert_allclose(small[:, 1, 1, 0], x[:, 2:4, 2:4, 0].mean((1, 2)), atol=0.51)


@pytest.mark.parametrize("name", (*STEPS, "mixup"))
def test_augmentation_is_repeatable_and_changes_something(name: str) -> None:
    x = np.random.default_rng(0).random((16, 12, 12, 2)).astype(np.float32)
    change = augmentation(name, "image", 2, PIXELS)
    labels = soft_labels(np.arange(16) % 3, 3)
    (one, _), (two, _) = (change(x, labels, np.random.default_rng(1)) for _ in range(2))
    assert one.shape == x.shape
    assert one.dtype == np.float32
    np.testing.assert_array_equal(one, two)
    assert (one != x).any()


def test_mixup_mixes_samples_as_their_labels() -> None:
    labels = np.eye(4, dtype=np.float32)[np.arange(32) % 4]
    x = labels[:, None, None, :].repeat(5, 1)
    mixed, targets = augmentation("mixup", "signal", 4, PIXELS)(x, labels, np.random.default_rng(0))
    np.testing.assert_allclose(mixed[:, 0, 0], targets, atol=1e-6)
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (targets != labels).any()


def test_unknown_augmentation() -> None:
    with pytest.raises(TinyforgeError, match="blur"):
        augmentation("shift,blur", "image", 1, PIXELS)


def test_rotation_turns_all_sensors_alike() -> None:
    rng = np.random.default_rng(0)
    scaling = Scaling(tuple(rng.standard_normal(6)), tuple(rng.uniform(0.5, 50, 6)))
    raw = (rng.standard_normal((64, 9, 1, 6)) * scaling.std + scaling.mean).astype(np.float32)
    labels = np.ones((64, 1), np.float32)
    made, _ = augmentation("rotate", "signal", 6, scaling)(scaling.apply(raw), labels, rng)
    before, after = (a.reshape(64, 9, 2, 3) for a in (raw, made * scaling.std + scaling.mean))
    # Lengths, and products of any two moments and sensors, are what they were.
    products = [np.einsum("ntai,nubi->ntaub", a, a) for a in (before, after)]
    np.testing.assert_allclose(*products, rtol=1e-3, atol=1e-2 * np.abs(before).max())
    lengths = np.linalg.norm(before[:, :, 0], axis=2) * np.linalg.norm(after[:, :, 0], axis=2)
    angles = np.rad2deg(np.arccos(np.clip((before * after)[:, :, 0].sum(2) / lengths, -1, 1)))
    assert 10 < angles.max() < 20.1


@pytest.mark.parametrize(("kind", "channels"), [("image", 3), ("signal", 4)])
def test_only_sensors_of_three_axes_are_rotated(kind: str, channels: int) -> None:
    with pytest.raises(UsageError, match="three axes"):
        augmentation("rotate", kind, channels, PIXELS)


def test_joined_splits_leave_the_test_split_alone() -> None:
    data = make_dataset(raw(), 0)
    whole = data.joined()
    assert contents(whole.train) == contents(data.train) | contents(data.validation)
    assert len(whole.train) == len(data.train) + len(data.validation)
    assert contents(whole.test) == contents(data.test)
    assert whole.scaling == data.scaling
