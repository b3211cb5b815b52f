"""Compares networks in PyTorch with the supernet, trains some, and prints what the tests ask about, as JSON.

python -m tests.search.torch_program FOLDER compare|finalist
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from tests.search.supernet_program import EVERYTHING
from tinyforge.search.architecture import architecture
from tinyforge.search.backend import tensorflow
from tinyforge.search.dataset import make_dataset
from tinyforge.search.finalist import Tuner
from tinyforge.search.recipes import Recipe
from tinyforge.search.sources import load_data
from tinyforge.search.space import SearchSpace, extreme, random_candidate
from tinyforge.search.space_file import load_space, parse_space
from tinyforge.search.supernet import Supernet, candidate_weights
from tinyforge.search.torch_network import TorchNetwork, pytorch
from tinyforge.search.torch_trainer import Start, train_together


def quiet(what: str, done: int = 0, total: int = 0) -> None:
    """Reports nothing."""


def weights_of(net: Supernet) -> dict[str, Any]:
    return {name: variable.numpy() for name, variable in net.variables.items()}


def difference(space: SearchSpace, shape: tuple[int, int, int]) -> float:
    """The largest between logits of PyTorch and of the supernet, over the largest logit, of three networks."""
    torch, net, rng = pytorch(1), Supernet(space, shape, 10, 0), np.random.default_rng(0)
    worst = 0.0
    for candidate in (extreme(space, -1), random_candidate(space, rng), random_candidate(space, rng)):
        network = architecture(space, candidate, shape, 10)
        x = rng.random((8, *shape)).astype(np.float32)
        theirs = net.forward(net.tf.constant(x), net.tf.constant(candidate.values, net.tf.int32), "train").numpy()
        mine = TorchNetwork(network, candidate_weights(network, weights_of(net)), "cpu")
        ours = mine.forward(torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))).detach().numpy()
        worst = max(worst, float(np.abs(ours - theirs).max() / np.abs(theirs).max()))
    return worst


def compare(folder: Path) -> dict[str, Any]:
    """Two- and one-dimensional networks of every kind of block."""
    everything = parse_space(EVERYTHING, "test.toml").for_data((19, 16, 3))
    signals = load_space("signals").for_data((119, 1, 6))
    return {"images": difference(everything, (19, 16, 3)), "signals": difference(signals, (119, 1, 6))}


def finalist(folder: Path) -> dict[str, Any]:
    """Accuracies of a network that PyTorch trained, float and int8."""
    data = make_dataset(load_data("digits"), 0)
    space = load_space("tiny").for_data(data.shape)
    net, candidate = Supernet(space, data.shape, 10, 0), extreme(space, 0)
    network, file = architecture(space, candidate, data.shape, 10), folder / "trained.npz"
    starts = {file: Start(network, candidate_weights(network, weights_of(net)))}
    recipe = Recipe(40, batch=64, rate=8e-3, first=0)
    train_together(starts, data, recipe, 0, folder / "training.npz", quiet, 1)
    made = Tuner(net, data, recipe, 0, quiet).make(candidate, folder / "unused.npz", file)
    return {"float": made.float_accuracy, "int8": made.int8_accuracy, "again": made.before_aware is not None}


if __name__ == "__main__":
    tensorflow(1)
    print(json.dumps({"compare": compare, "finalist": finalist}[sys.argv[2]](Path(sys.argv[1]))))
