"""The search space: which networks there are, as genes that each have a few choices.

A space is data (a TOML file, see ``presets/`` and docs/search.md): a stem, stages of blocks, a head. Every stage has a
width and a depth gene, every block a kernel gene and, where it expands, an expansion gene; the input has a resolution
and a channels gene. A candidate is one choice for every gene.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tinyforge.errors import UsageError

BLOCKS = ("mbconv", "dsconv", "residual", "conv")
POOLS = ("max", "average")
RESOLUTION, CHANNELS, STEM, HEAD = "resolution", "channels", "stem.width", "head.width"


@dataclass(frozen=True, slots=True)
class Gene:
    """A named choice; ``choices`` are distinct integers in rising order."""

    name: str
    choices: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StemSpace:
    """The first convolution. kernel, stride: (rows, columns), even ones too. widths: output channels to choose from."""

    kernel: tuple[int, int]
    stride: tuple[int, int]
    widths: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class StageSpace:
    """Blocks of one width; the first has the stride.

    block: ``mbconv`` (1x1 expansion, depthwise, 1x1 projection, residual), ``dsconv`` (depthwise, 1x1, both with
    ReLU6), ``residual`` (two k x k convolutions and a shortcut) or ``conv`` (one k x k convolution with ReLU6).
    expands: of mbconv only; 1 leaves the expansion out. squeeze: 1 where a squeeze-and-excite may stand before the
    projection of mbconv. pool: of ``POOLS``: the stride is that of a pooling before the first block, of windows of its
    size; empty where it is the first block's own.
    """

    block: str
    stride: int
    widths: tuple[int, ...]
    depths: tuple[int, ...]
    kernels: tuple[int, ...]
    expands: tuple[int, ...] = (1,)
    squeeze: tuple[int, ...] = (0,)
    pool: str = ""

    @property
    def most_blocks(self) -> int:
        return self.depths[-1]

    def block_stride(self, index: int) -> int:
        """Of the block ``index`` itself."""
        return self.stride if index == 0 and not self.pool else 1


def sides(value: int, dims: int) -> tuple[int, int]:
    """A kernel side or stride along rows and columns; signals (``dims`` 1) have one column."""
    return (value, value) if dims == 2 else (value, 1)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """All networks that are considered.

    dims: 2 for images and spectrograms; 1 for signals (time steps x channels), whose kernels are k x 1.
    resolutions: sides the input is resized to, empty for the data's own. channels: input channels to choose from, empty
    for the data's own. head: output channels of the last 1x1 convolution, 0 leaves it out.
    """

    name: str
    title: str
    dims: int
    resolutions: tuple[int, ...]
    channels: tuple[int, ...]
    stem: StemSpace
    stages: tuple[StageSpace, ...]
    head: tuple[int, ...]

    def sides(self, value: int) -> tuple[int, int]:
        """A kernel side or stride along rows and columns; signals have one column."""
        return sides(value, self.dims)

    @property
    def genes(self) -> tuple[Gene, ...]:
        """Every choice, in the order of a candidate's values."""
        found = [Gene(RESOLUTION, self.resolutions), Gene(CHANNELS, self.channels), Gene(STEM, self.stem.widths)]
        for i, stage in enumerate(self.stages):
            found += [Gene(f"stage{i}.width", stage.widths), Gene(f"stage{i}.depth", stage.depths)]
            found.append(Gene(f"stage{i}.squeeze", stage.squeeze))
            for j in range(stage.most_blocks):
                found += [Gene(f"stage{i}.{j}.kernel", stage.kernels), Gene(f"stage{i}.{j}.expand", stage.expands)]
        return (*found, Gene(HEAD, self.head))

    @property
    def size(self) -> int:
        """How many combinations of choices there are."""
        return math.prod(len(gene.choices) for gene in self.genes)

    def for_data(self, shape: Sequence[int]) -> SearchSpace:
        """The same space with the resolutions and channels of samples of ``shape`` (rows, columns, channels) where it
        names none. Raises UsageError where the data has fewer channels than every choice."""
        rows, cols, channels = shape
        side = max(rows, cols)
        sides = tuple(sorted({r for r in self.resolutions if r <= side} | ({side} if not self.resolutions else set())))
        if self.dims == 1 or not sides:
            sides = (side,)
        kept = tuple(c for c in self.channels if c <= channels) or ((channels,) if not self.channels else ())
        if not kept:
            raise UsageError(
                f"space {self.name} needs {min(self.channels)} input channels or more, the data has {channels}"
            )
        return replace(self, resolutions=sides, channels=kept)

    def narrowed(self, candidates: Sequence[Candidate]) -> SearchSpace:
        """The space of the choices that occur in ``candidates`` (at least one), which share this space."""
        seen: dict[str, set[int]] = {gene.name: set() for gene in self.genes}
        for candidate in candidates:
            for name, value in active_genes(self, candidate).items():
                seen[name].add(value)
        stages = tuple(_narrow_stage(stage, i, seen) for i, stage in enumerate(self.stages))
        return replace(
            self,
            resolutions=_kept(self.resolutions, seen[RESOLUTION]),
            channels=_kept(self.channels, seen[CHANNELS]),
            stem=replace(self.stem, widths=_kept(self.stem.widths, seen[STEM])),
            stages=stages,
            head=_kept(self.head, seen[HEAD]),
        )


def _kept(choices: tuple[int, ...], seen: set[int]) -> tuple[int, ...]:
    return tuple(c for c in choices if c in seen) or choices[:1]


def _narrow_stage(stage: StageSpace, index: int, seen: dict[str, set[int]]) -> StageSpace:
    blocks = range(stage.most_blocks)
    kernels = set().union(*(seen[f"stage{index}.{j}.kernel"] for j in blocks))
    expands = set().union(*(seen[f"stage{index}.{j}.expand"] for j in blocks))
    return replace(
        stage,
        widths=_kept(stage.widths, seen[f"stage{index}.width"]),
        depths=_kept(stage.depths, seen[f"stage{index}.depth"]),
        squeeze=_kept(stage.squeeze, seen[f"stage{index}.squeeze"]),
        kernels=_kept(stage.kernels, kernels),
        expands=_kept(stage.expands, expands),
    )


@dataclass(frozen=True, slots=True)
class Candidate:
    """One network of a space: the values of its genes in their order, genes of absent blocks at their first choice."""

    values: tuple[int, ...]

    @property
    def key(self) -> str:
        """Twelve hexadecimal digits that name it."""
        return hashlib.sha256(repr(self.values).encode()).hexdigest()[:12]


def make_candidate(space: SearchSpace, values: Sequence[int]) -> Candidate:
    """A candidate from one value a gene. Raises UsageError for a value that is no choice."""
    genes = space.genes
    if len(values) != len(genes):
        raise UsageError(f"a candidate of space {space.name} has {len(genes)} values, given were {len(values)}")
    chosen = {}
    for gene, value in zip(genes, values, strict=True):
        if value not in gene.choices:
            raise UsageError(f"{gene.name} = {value} is not one of {', '.join(map(str, gene.choices))}")
        chosen[gene.name] = value
    for i, stage in enumerate(space.stages):
        for j in range(chosen[f"stage{i}.depth"], stage.most_blocks):
            chosen[f"stage{i}.{j}.kernel"] = stage.kernels[0]
            chosen[f"stage{i}.{j}.expand"] = stage.expands[0]
    return Candidate(tuple(chosen.values()))


def gene_values(space: SearchSpace, candidate: Candidate) -> dict[str, int]:
    """Gene name -> value."""
    return {gene.name: value for gene, value in zip(space.genes, candidate.values, strict=True)}


def active_genes(space: SearchSpace, candidate: Candidate) -> dict[str, int]:
    """The genes that make a difference: those of absent blocks left out."""
    values = gene_values(space, candidate)
    for i, stage in enumerate(space.stages):
        for j in range(values[f"stage{i}.depth"], stage.most_blocks):
            del values[f"stage{i}.{j}.kernel"], values[f"stage{i}.{j}.expand"]
    return values


def extreme(space: SearchSpace, index: int) -> Candidate:
    """The smallest (``index`` 0) or the largest (-1) network."""
    return make_candidate(space, [gene.choices[index] for gene in space.genes])


def random_candidate(space: SearchSpace, rng: np.random.Generator) -> Candidate:
    """Every gene drawn alone, each choice alike."""
    return make_candidate(space, [gene.choices[int(rng.integers(len(gene.choices)))] for gene in space.genes])


def graded_candidate(space: SearchSpace, rng: np.random.Generator, spread: float) -> Candidate:
    """One size in 0..1 for the whole network, from which every gene strays by up to half of ``spread``."""
    size = rng.random()
    places = [np.clip(size + spread * (rng.random() - 0.5), 0, 1) for _ in space.genes]
    genes = zip(space.genes, places, strict=True)
    return make_candidate(space, [g.choices[min(int(p * len(g.choices)), len(g.choices) - 1)] for g, p in genes])


def mutated(space: SearchSpace, candidate: Candidate, rng: np.random.Generator, rate: float) -> Candidate:
    """A neighbour: each gene drawn anew with probability ``rate``."""
    values = [
        gene.choices[int(rng.integers(len(gene.choices)))] if rng.random() < rate else value
        for gene, value in zip(space.genes, candidate.values, strict=True)
    ]
    return make_candidate(space, values)
