"""Finalists in PyTorch: they compute what the supernet does, learn, and go on where they were stopped."""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from tests.search.test_supernet import program
from tinyforge.api.search import search
from tinyforge.api.search_run import Means
from tinyforge.errors import UsageError
from tinyforge.search.architecture import all_layers, architecture
from tinyforge.search.dataset import PIXELS, Dataset, Samples
from tinyforge.search.files import load_arrays
from tinyforge.search.recipes import Recipe
from tinyforge.search.settings import SearchSettings
from tinyforge.search.space import Candidate, extreme, random_candidate
from tinyforge.search.space_file import load_space
from tinyforge.search.supernet import candidate_weights, initial_weights
from tinyforge.search.teacher import Teacher
from tinyforge.search.torch_network import TorchNetwork, pytorch
from tinyforge.search.torch_trainer import LARGER, Lessons, Start, TorchTrainer, larger, train_together

pytestmark = pytest.mark.skipif(find_spec("torch") is None, reason="needs tinyforge[torch]")
with_tensorflow = pytest.mark.skipif(find_spec("tensorflow") is None, reason="needs tinyforge[search]")
SHAPE = (16, 16, 1)


def bars() -> Dataset:
    """Noise with a brighter quarter, which is the class."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 240)
    x = rng.integers(0, 60, (240, *SHAPE)).astype(np.uint8)
    for image, label in zip(x, y, strict=True):
        image[4 * label : 4 * label + 4] += 60
    parts = [Samples(x[a:b], y[a:b].astype(np.int64)) for a, b in ((0, 160), (160, 200), (200, 240))]
    return Dataset("bars", "image", *parts, tuple("0123"), PIXELS)


def start_of(candidate: Candidate) -> Start:
    space = load_space("tiny").for_data(SHAPE)
    network = architecture(space, candidate, SHAPE, 4)
    return Start(network, candidate_weights(network, initial_weights(all_layers(space, SHAPE, 4), 1)))


def starts() -> list[Start]:
    space = load_space("tiny").for_data(SHAPE)
    return [start_of(extreme(space, 0)), start_of(random_candidate(space, np.random.default_rng(0)))]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    """More of them only wait for each other on networks as small as these."""
    pytorch(1)


class Stop(Exception):
    """Instead of Ctrl-C."""


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """Reports nothing."""


def test_training_learns_and_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, recipe = bars(), Recipe(12, batch=32, rate=8e-3, first=0)
    trainer = TorchTrainer(starts(), data, recipe, 3, "cpu")
    once = trainer.run(None, quiet)
    images = trainer.torch.tensor(data.scaling.apply(data.test.x).transpose(0, 3, 1, 2).copy())
    for network in trainer.networks:
        assert (network.forward(images).argmax(1).numpy() == data.test.y).mean() > 0.9
    monkeypatch.setattr("tinyforge.search.torch_trainer.SAVED_EVERY", 0.0)
    files = [tmp_path / "a" / "trained.npz", tmp_path / "b" / "trained.npz"]
    for stop in (8, 53):  # in an epoch without rounding, and in the one with it

        def tell(what: str, done: int = 0, total: int = 0, stop: int = stop) -> None:
            if done == stop:
                raise Stop

        with pytest.raises(Stop):
            train_together(dict(zip(files, starts(), strict=True)), data, recipe, 3, tmp_path / "on.npz", tell)
    train_together(dict(zip(files, starts(), strict=True)), data, recipe, 3, tmp_path / "on.npz", quiet)
    for file, weights in zip(files, once, strict=True):
        with np.load(file) as found:
            assert set(found.files) == set(weights)
            assert all(np.array_equal(found[name], value) for name, value in weights.items())


def guesses(network: TorchNetwork, samples: Samples) -> np.ndarray:
    images = network.torch.tensor(PIXELS.apply(samples.x).transpose(0, 3, 1, 2).copy())
    return network.forward(images).argmax(1).numpy()


def test_a_teacher_is_learnt_from_and_training_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, recipe = bars(), Recipe(12, batch=32, rate=8e-3, first=0)
    lessons = Lessons(tmp_path / "teacher.npz", load_space("tiny").for_data(SHAPE))
    told = []

    def tell(what: str, done: int = 0, total: int = 0) -> None:
        told.append(what)

    train_together({tmp_path / "one.npz": starts()[1]}, data, recipe, 3, tmp_path / "on.npz", tell, None, lessons)
    assert told[-1] == "training finalists"
    assert any("the teacher knows" in what for what in told)
    monkeypatch.setattr("tinyforge.search.torch_trainer.SAVED_EVERY", 0.0)
    again = Lessons(tmp_path / "again.npz", lessons.space)
    for stop in (8, 22):  # of 30 steps of the teacher, and of 60 of the network

        def halt(what: str, done: int = 0, total: int = 0, stop: int = stop) -> None:
            if done == stop and (stop < 20 or "finalists" in what):
                raise Stop

        with pytest.raises(Stop):
            train_together({tmp_path / "two.npz": starts()[1]}, data, recipe, 3, tmp_path / "on.npz", halt, None, again)
    train_together({tmp_path / "two.npz": starts()[1]}, data, recipe, 3, tmp_path / "on.npz", quiet, None, again)
    for one, two in ((lessons.file, again.file), (tmp_path / "one.npz", tmp_path / "two.npz")):
        assert all(np.array_equal(value, load_arrays(two)[name]) for name, value in load_arrays(one).items())

    wrong = Samples(data.train.x, np.roll(data.train.y, 7))
    train_together(
        {tmp_path / "three.npz": starts()[1]}, replace(data, train=wrong), recipe, 3, tmp_path / "on.npz", quiet,
        lessons=lessons,
    )  # fmt: skip
    network = TorchNetwork(starts()[1].architecture, load_arrays(tmp_path / "three.npz"), "cpu")
    assert (guesses(network, data.test) == data.test.y).mean() > 0.7, "it has learnt the labels, which were wrong"


def test_a_mirrored_teacher_answers_alike_to_mirror_images() -> None:
    network = TorchTrainer(starts()[1:], bars(), Recipe(1, batch=32, first=0), 3, "cpu").networks[0]
    images = network.torch.rand(8, 1, 16, 16)
    for mirrored in (True, False):
        answers = [Teacher(network, mirrored).answers(x).numpy() for x in (images, images.flip(3))]
        assert np.allclose(answers[0].sum(1), 1, atol=1e-6)
        assert np.allclose(*answers, atol=1e-6) == mirrored


def test_batches_grow_with_the_samples() -> None:
    recipe = Recipe(10, batch=64, rate=4e-3)
    assert larger(recipe, 1000) == recipe
    assert larger(recipe, 10**6).batch == 64 * LARGER
    assert larger(recipe, 10**6).rate == pytest.approx(4e-3 * LARGER**0.5)


@with_tensorflow
@pytest.mark.parametrize(
    ("teacher", "trainer", "said"),
    [
        ("resnet18", "tensorflow", "finalists trained by PyTorch"),
        ("nowhere", "torch", "no search space 'nowhere'"),
        ("signals", "torch", "of 1 dimensions"),
    ],
)
def test_a_teacher_that_cannot_be_is_refused_at_once(tmp_path: Path, teacher: str, trainer: str, said: str) -> None:
    settings = SearchSettings(teacher=teacher)
    with pytest.raises(UsageError, match=said):
        search(settings, means=Means(trainer=trainer), out=tmp_path / "study")
    assert not (tmp_path / "study").exists()


@with_tensorflow
def test_networks_equal_the_supernet(tmp_path: Path) -> None:
    found = program("-m", "tests.search.torch_program", str(tmp_path), "compare")
    assert found["images"] < 1e-4
    assert found["signals"] < 1e-4


@with_tensorflow
@pytest.mark.long
def test_a_trained_network_becomes_int8(tmp_path: Path) -> None:
    found = program("-m", "tests.search.torch_program", str(tmp_path), "finalist")
    assert found["float"] > 0.8
    assert found["int8"] > found["float"] - 0.02
    assert not found["again"], "it was trained with rounding already"
