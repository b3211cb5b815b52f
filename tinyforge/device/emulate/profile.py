"""Executed blocks of one inference as estimated cycles, and as the cost of every operator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tinyforge.codegen.build_info import BuildInfo
from tinyforge.device.emulate.cycles import CYCLE_MODELS, block_cycles, wait_cycles
from tinyforge.device.result import LayerProfile
from tinyforge.target import Board
from tinyforge.toolchain.elf import Image

Costs = Mapping[str, NDArray[np.float64]]


def estimate(blocks: NDArray[Any], image: Image, board: Board, watched: bool) -> Costs:
    """Cycles in each of ``blocks`` (records of hooks.BLOCK_DTYPE) by model. Where the board's flash has wait states and
    data accesses were ``watched``, also for its core with those, as ``CORE@Nws``."""
    costs = {name: block_cycles(name, blocks, image) for name in CYCLE_MODELS}
    core, flash = board.core.name, board.flash
    if core in costs and flash.wait_states and watched:
        costs[f"{core}@{flash.wait_states}ws"] = costs[core] + wait_cycles(blocks, flash)
    return costs


def layer_profiles(info: BuildInfo, blocks: NDArray[Any], costs: Costs, watched: bool) -> tuple[LayerProfile, ...]:
    """The cost of every operator; bytes only where data accesses were ``watched``."""
    executed = blocks["count"] * blocks["instructions"]
    profiles = []
    for i, op in enumerate(info.operators):
        own = blocks["owner"] == i + 1

        def moved(name: str, own: NDArray[Any] = own) -> int | None:
            return int(blocks[name][own].sum()) if watched else None

        profiles.append(
            LayerProfile(
                index=op.index,
                name=op.name,
                kind=op.kind,
                symbol=op.symbol,
                instructions=int(executed[own].sum()),
                estimated_cycles={model: round(float(cycles[own].sum())) for model, cycles in costs.items()},
                flash_read_bytes=moved("flash_read_bytes"),
                sram_read_bytes=moved("sram_read_bytes"),
                written_bytes=moved("written_bytes"),
            )
        )
    return tuple(profiles)
