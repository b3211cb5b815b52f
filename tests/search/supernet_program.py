"""Trains a tiny supernet on a few digits and prints what the tests ask about, as JSON.

python -m tests.search.supernet_program FOLDER EPOCHS sandwich|sortednet small|everything
"""

from __future__ import annotations

import hashlib
import json
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.search.architecture import architecture
from tinyforge.search.backend import tensorflow
from tinyforge.search.dataset import Dataset, make_dataset
from tinyforge.search.evaluate import Evaluator
from tinyforge.search.finalist import Tuner, network_input
from tinyforge.search.keras_model import build_model, set_weights
from tinyforge.search.recipes import Recipe
from tinyforge.search.sources import load_data
from tinyforge.search.space import extreme, random_candidate
from tinyforge.search.space_file import parse_space
from tinyforge.search.supernet import Supernet
from tinyforge.search.train import CHECKPOINT, Report, Trainer

SMALL = """
name = "small"
title = "one inverted residual, and plain convolutions behind a pooling"
[stem]
kernel = [6, 3]
stride = [4, 2]
widths = [4, 6]
[head]
widths = [0, 8]
[[stages]]
block = "mbconv"
stride = 2
widths = [4, 8]
depths = [1]
kernels = [3, 5]
expands = [1, 3]
[[stages]]
block = "conv"
stride = 2
pool = "max"
widths = [4, 8]
depths = [1, 2]
kernels = [1, 3]
"""

EVERYTHING = """
name = "everything"
title = "every kind of block"
resolutions = [12, 16]
[stem]
stride = 2
widths = [4, 6]
[head]
widths = [0, 8]
[[stages]]
block = "mbconv"
stride = 2
widths = [4, 8]
depths = [1, 2]
kernels = [1, 3, 5]
expands = [1, 3]
squeeze = [0, 1]
[[stages]]
block = "dsconv"
widths = [8]
depths = [2]
kernels = [3]
[[stages]]
block = "conv"
stride = 2
pool = "average"
widths = [8, 12]
depths = [1, 2]
kernels = [1, 3]
[[stages]]
block = "residual"
widths = [8, 12]
depths = [1, 2]
kernels = [3]
"""


def main(folder: Path, epochs: int, method: str, text: str) -> None:
    tf = tensorflow(1)
    data = make_dataset(load_data("digits"), 0)
    space = parse_space(text, "test.toml").for_data(data.shape)
    net = Supernet(space, data.shape, 10, 0)
    trainer = Trainer(net, data, Recipe(epochs, batch=256, first=0.5, method=method), 0)
    trainer.run(folder / CHECKPOINT, lambda what, done=0, total=0: None)
    weights = {name: v.numpy() for name, v in net.variables.items()}
    judge = Evaluator(net, data, 0, calibration=1, most=64)
    rng = np.random.default_rng(0)
    differences, accuracies = [], []
    for _ in range(4 if epochs > 1 else 3):
        candidate = random_candidate(space, rng)
        accuracies.append(judge.accuracy(candidate))
        network = architecture(space, candidate, data.shape, 10)
        model = build_model(network)
        set_weights(model, network, weights, judge.calibrate(candidate))
        images = tf.constant(data.scaling.apply(judge.held.x))
        code = tf.constant(candidate.values, tf.int32)
        ours = net.forward(images, code, "evaluate").numpy()
        theirs = np.asarray(model(tf.image.resize(images, network.input_shape[:2]), training=False))
        differences.append(float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
        assert network_input(data, judge.held, network).shape[1:] == network.input_shape
    digest = hashlib.sha256(b"".join(np.ascontiguousarray(w).tobytes() for w in weights.values())).hexdigest()
    tuned = tuned_facts(net, data, folder) if epochs > 1 else {}
    resumed = resumed_error(net, data, folder / "stopped.npz")
    moves = sorting_error(trainer, tf.constant(data.scaling.apply(judge.held.x)))
    found = {"digest": digest, "differences": differences, "accuracies": accuracies, "sorting_error": moves}
    print(json.dumps({**found, **tuned, "resumed": resumed, "traces": trainer.traces}))


class Stopped(Exception):
    """Training was stopped on purpose."""


def resumed_error(net: Supernet, data: Dataset, checkpoint: Path) -> float:
    """How far from each other two trainings end, of which one was stopped in its second epoch and went on. The supernet
    stays as it is."""
    before = {name: v.numpy() for name, v in net.variables.items()}
    recipe, biggest = Recipe(2, batch=256, first=0), extreme(net.space, -1)

    def trained(path: Path | None, tell: Report) -> list[Any]:
        Trainer(net, data, recipe, 0, biggest).run(path, tell)
        found = [v.numpy() for v in net.variables.values()]
        for name, variable in net.variables.items():
            variable.assign(before[name])
        return found

    def stop(what: str, done: int = 0, total: int = 0) -> None:
        if done > total // 2 + 1:
            raise Stopped

    once = trained(None, lambda what, done=0, total=0: None)
    with suppress(Stopped):
        trained(checkpoint, stop)
    again = trained(checkpoint, lambda what, done=0, total=0: None)
    return max(float(np.abs(a - b).max()) for a, b in zip(once, again, strict=True))


def tuned_facts(net: Supernet, data: Dataset, folder: Path) -> dict[str, Any]:
    """A finalist that is always trained with rounding too, and whether the supernet is as it was after it."""
    before = {name: v.numpy() for name, v in net.variables.items()}
    tuner = Tuner(net, data, Recipe(8, batch=64, first=0), 0, lambda what, done=0, total=0: None, int8_loss=-1)
    made = tuner.make(extreme(net.space, -1), folder / "finalist.npz")
    kept = all(np.array_equal(before[name], v.numpy()) for name, v in net.variables.items())
    accuracies = [made.float_accuracy, made.int8_accuracy, made.before_aware]
    return {"finalist": accuracies, "kept": kept}


def sorting_error(trainer: Trainer, images: Any) -> float:
    """How far sorted channels change the largest network's logits."""
    code = trainer.tf.constant(extreme(trainer.net.space, -1).values, trainer.tf.int32)
    rng = np.random.default_rng(1)
    for variable in trainer.net.variables.values():
        variable.assign(variable + 0.1 * rng.standard_normal(variable.shape))
    before = trainer.net.forward(images, code, "train").numpy()
    trainer.sort_channels()
    after = trainer.net.forward(images, code, "train").numpy()
    return float(np.abs(before - after).max() / np.abs(before).max())


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], {"small": SMALL, "everything": EVERYTHING}[sys.argv[4]])
