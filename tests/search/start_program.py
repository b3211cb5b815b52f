"""Begins a supernet from a model of digits and prints how well it does, as JSON.

python -m tests.search.start_program MODEL [DATA]

MODEL: a .tflite file, or a .keras file that is made where it is not there. DATA: digits by default.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tinyforge.search.architecture import architecture
from tinyforge.search.backend import tensorflow
from tinyforge.search.dataset import Dataset, make_dataset
from tinyforge.search.evaluate import Evaluator
from tinyforge.search.finalist import network_input
from tinyforge.search.keras_model import accuracy, build_model
from tinyforge.search.sources import load_data
from tinyforge.search.space import extreme
from tinyforge.search.space_file import parse_space
from tinyforge.search.start import begin_from, read_start
from tinyforge.search.supernet import Supernet

ZERO_TO_ONE = "zero_to_one"
SPACE = """
name = "model"
title = "every kind of block"
[stem]
kernel = [4, 3]
stride = [2, 1]
widths = [8]
[head]
widths = [24]
[[stages]]
block = "conv"
stride = 2
pool = "max"
widths = [8]
depths = [2]
kernels = [3]
[[stages]]
block = "mbconv"
stride = 2
widths = [12]
depths = [2]
kernels = [5]
expands = [3]
squeeze = [1]
[[stages]]
block = "dsconv"
widths = [16]
depths = [1]
kernels = [3]
[[stages]]
block = "residual"
stride = 2
widths = [24]
depths = [2]
kernels = [3]
"""


def make_keras(path: Path, data: Dataset) -> float:
    """A small network, trained a little on pixels from -1 to 1, or from 0 to 1 where its file is named so; its
    accuracy."""
    low = 0 if path.stem == ZERO_TO_ONE else -1
    tf = tensorflow(1)
    tf.keras.utils.set_random_seed(0)
    space = parse_space(SPACE, "model.toml").for_data(data.shape)
    network = architecture(space, extreme(space, 0), data.shape, len(data.classes))
    model = build_model(network)
    loss = tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(tf.keras.optimizers.Adam(3e-3), loss)
    model.fit(
        network_input(data, data.train, network) * (1 - low) + low, data.train.y, batch_size=64, epochs=6, verbose=0
    )
    model.save(path)
    return accuracy(model, network_input(data, data.validation, network) * (1 - low) + low, data.validation.y)


def main(path: Path, source: str) -> None:
    data = make_dataset(load_data(source), 0)
    tensorflow(1)
    before = None if path.is_file() else make_keras(path, data)
    start = read_start(path, data)
    net = Supernet(start.space, data.shape, len(data.classes), 0)
    itself = begin_from(start, net, data, 0)
    judge = Evaluator(net, data, 0, calibration=8)
    half = [
        gene.choices[len(gene.choices) // 2] if "width" in gene.name else value
        for gene, value in zip(start.space.genes, start.itself.values, strict=True)
    ]
    print(
        json.dumps(
            {
                "model": before,
                "itself": itself,
                "in_supernet": judge.accuracy(start.itself),
                "narrower": judge.accuracy(type(start.itself)(tuple(half))),
                "smallest": judge.accuracy(extreme(start.space, 0)),
                "size": start.space.size,
                "notes": start.differences,
            }
        )
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2] if len(sys.argv) > 2 else "digits")
