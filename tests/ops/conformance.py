"""One suite that every operator passes: subclass ``OpConformance``, provide random single-operator graphs.

    class TestAdd(OpConformance):
        def cases(self, rng):
            return [unary_case(rng, Relu(), quant, out_quant, shape), ...]

Checked, integer for integer: infer gives the declared shapes; LiteRT's reference kernels == compute; compute on random
windows == the slice of the whole; the C kernel natively under UBSan == compute, portable and with emulated DSP
instructions, in buffers of its own and, where the kernel allows it, in place, and in random patches; the firmware
of emulated cores == compute (marked slow, or long).
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.c_host import HostModels, layerwise, stacked_plan
from tests.ops.merged import (
    BOARDS,
    MORE_BOARDS,
    SCALAR_BOARDS,
    emulate,
    has_variant,
    in_place_plan,
    merged,
    patches,
    variant_isa,
)
from tests.tflite_writer import litert_outputs, write_tflite
from tinyforge.ir.graph import Graph, Node, Tensor
from tinyforge.ir.types import Array, DType, Quant, TensorType
from tinyforge.ir.window import Interval, Window
from tinyforge.ops.base import Op, Piece, input_window
from tinyforge.target import load_board

WINDOWS_PER_CASE = 4
KINDS = ("portable", "dsp", "scalar", "mve")
VARIANTS = (*KINDS, "in_place", "patches", *(f"{kind}_patches" for kind in KINDS[1:]))


@dataclass(frozen=True, eq=False)
class Case:
    """A graph and values for its inputs. ``no_litert``: why LiteRT itself rejects this one, empty where it does not.
    ``no_c``: why there is no kernel for it."""

    graph: Graph
    inputs: tuple[Array, ...]
    no_litert: str = ""
    no_c: str = ""


def random_quant(rng: np.random.Generator, low: float = 0.002, high: float = 0.5, dtype: DType = DType.INT8) -> Quant:
    """A per-tensor quantisation, log-uniform scale (exactly float32), zero points with extremes among them."""
    scale = float(np.float32(np.exp(rng.uniform(np.log(low), np.log(high)))))
    lo, hi = dtype.limits
    if dtype is DType.INT16:
        return Quant((scale,), (0,))
    zero = int(rng.choice([lo, hi, 0, int(rng.integers(lo, hi + 1)), int(rng.integers(lo, hi + 1))]))
    return Quant((scale,), (zero,))


def random_shape(rng: np.random.Generator, rank: int = 4, largest: int = 9) -> tuple[int, ...]:
    """A small odd shape; batch 1 for rank 4."""
    shape = tuple(int(n) for n in rng.integers(1, largest + 1, rank))
    return (1, *shape[1:]) if rank == 4 else shape


def random_values(rng: np.random.Generator, kind: TensorType, style: int | None = None) -> Array:
    """Values of a tensor: uniform, only extremes, all lowest, all highest, or narrow around the zero point."""
    if kind.dtype is DType.FLOAT32:
        return np.asarray(rng.normal(0, 3, kind.shape), np.float32)
    lo, hi = kind.dtype.limits
    style = int(rng.choice([0, 0, 0, 1, 2, 3, 4])) if style is None else style
    if style == 1:
        return np.asarray(rng.choice([lo, hi], kind.shape), kind.dtype.numpy)
    if style in (2, 3):
        return np.full(kind.shape, lo if style == 2 else hi, kind.dtype.numpy)
    if style == 4:
        return np.clip(kind.zero_point + rng.integers(-4, 5, kind.shape), lo, hi).astype(kind.dtype.numpy)
    return np.asarray(rng.integers(lo, hi, kind.shape, endpoint=True), kind.dtype.numpy)


def activation(name: str, shape: Sequence[int], quant: Quant | None, dtype: DType = DType.INT8) -> Tensor:
    return Tensor(name, TensorType(tuple(shape), dtype, quant))


def constant(name: str, data: Array, quant: Quant | None = None) -> Tensor:
    return Tensor(name, TensorType(data.shape, DType(str(data.dtype)), quant), data)


def single_op(op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor]) -> Graph:
    """A graph of one operator; its inputs are the activations among ``ins``. The same tensor may be given twice."""
    tensors = {t.name: t for t in (*ins, *outs)}
    node = Node("op", op, tuple(t.name for t in ins), tuple(t.name for t in outs))
    inputs = tuple(dict.fromkeys(t.name for t in ins if not t.is_constant))
    return Graph("conformance", tensors, (node,), inputs, node.outputs)


def make_case(rng: np.random.Generator, op: Op, ins: Sequence[Tensor], outs: Sequence[Tensor], **flags: str) -> Case:
    """A case with random input values; ``flags``: no_litert, no_c."""
    graph = single_op(op, ins, outs)
    return Case(graph, tuple(random_values(rng, graph.tensors[n].type) for n in graph.inputs), **flags)


def unary_case(
    rng: np.random.Generator, op: Op, quant: Quant, out_quant: Quant, shape: Sequence[int], **flags: str
) -> Case:
    """One int8 input, one int8 output of the inferred shape."""
    x = activation("x", shape, quant)
    return make_case(rng, op, [x], [activation("y", op.infer([x])[0], out_quant)], **flags)


def _op(node: Node) -> Op:
    assert isinstance(node.op, Op)
    return node.op


def compute_graph(graph: Graph, inputs: Sequence[Array]) -> list[Array]:
    """The graph's outputs by the operators' own references, whole tensors."""
    values: dict[str, Array] = {t.name: t.array() for t in graph.tensors.values() if t.is_constant}
    values.update(zip(graph.inputs, inputs, strict=True))
    for node in graph.nodes:
        pieces = [Piece.whole(values[n]) for n in node.inputs]
        outs = graph.outs(node)
        results = _op(node).compute(pieces, graph.ins(node), outs, Window.full(*outs[0].type.hwc[:2]))
        values.update(zip(node.outputs, results, strict=True))
    return [values[n] for n in graph.outputs]


def random_interval(rng: np.random.Generator, extent: int) -> Interval:
    lo = int(rng.integers(0, extent))
    return Interval(lo, int(rng.integers(lo + 1, extent + 1)))


def compute_window(graph: Graph, inputs: Sequence[Array], window: Window) -> list[Array]:
    """A single-operator graph's outputs at ``window`` from no more input than ``axes`` asks for."""
    node = graph.nodes[0]
    op, ins, outs = _op(node), graph.ins(node), graph.outs(node)
    values = dict(zip(graph.inputs, inputs, strict=True))
    pieces = []
    for i, tensor in enumerate(ins):
        if tensor.is_constant or op.axes(ins, outs, i) is None or tensor.type.hwc[:2] != tuple(tensor.shape[1:3]):
            pieces.append(Piece.whole(tensor.array() if tensor.is_constant else values[tensor.name]))
            continue
        need = input_window(op, ins, outs, i, window)
        cut = values[tensor.name][:, need.rows.lo : need.rows.hi, need.cols.lo : need.cols.hi]
        pieces.append(Piece(cut, need))
    return op.compute(pieces, ins, outs, window)


class OpConformance:
    """Subclass with ``cases``; ``seed`` makes them reproducible."""

    seed = 20240607

    def cases(self, rng: np.random.Generator) -> list[Case]:
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def suite(cls) -> list[Case]:
        return cls().cases(np.random.default_rng(cls.seed))

    @pytest.fixture(scope="class")
    @classmethod
    def expected(cls, suite: list[Case]) -> list[list[Array]]:
        return [compute_graph(case.graph, case.inputs) for case in suite]

    def test_shapes_and_types(self, suite: list[Case], expected: list[list[Array]]) -> None:
        for case, results in zip(suite, expected, strict=True):
            node = case.graph.nodes[0]
            ins, outs = case.graph.ins(node), case.graph.outs(node)
            _op(node).check(ins, outs)
            assert _op(node).infer(ins) == tuple(t.shape for t in outs), describe(case)
            assert [r.shape for r in results] == [t.shape for t in outs], describe(case)
            assert [r.dtype for r in results] == [t.type.dtype.numpy for t in outs], describe(case)

    def test_litert(self, suite: list[Case], expected: list[list[Array]]) -> None:
        for case, results in zip(suite, expected, strict=True):
            if not case.no_litert:
                assert_equal(litert_outputs(write_tflite(case.graph), case.inputs), results, case)

    def test_windows(self, suite: list[Case], expected: list[list[Array]]) -> None:
        rng = np.random.default_rng(self.seed + 1)
        for case, whole in zip(suite, expected, strict=True):
            node = case.graph.nodes[0]
            ins, outs = case.graph.ins(node), case.graph.outs(node)
            activations = [i for i, t in enumerate(ins) if not t.is_constant]
            barrier = any(_op(node).axes(ins, outs, i) is None for i in activations)
            height, width, _ = outs[0].type.hwc
            if barrier or outs[0].shape[1:3] != (height, width) or len(outs[0].shape) != 4:
                continue
            for _ in range(WINDOWS_PER_CASE):
                window = Window(random_interval(rng, height), random_interval(rng, width))
                r, c = window.rows, window.cols
                sliced = [w[:, r.lo : r.hi, c.lo : c.hi] for w in whole]
                assert_equal(compute_window(case.graph, case.inputs, window), sliced, case, f"{window}")

    @pytest.mark.parametrize("variant", VARIANTS)
    def test_host_c(
        self,
        variant: str,
        suite: list[Case],
        expected: list[list[Array]],
        tmp_path: Path,
    ) -> None:
        chosen = [(c, e) for c, e in zip(suite, expected, strict=True) if not c.no_c and has_variant(c.graph, variant)]
        if not chosen:
            pytest.skip(f"no case of this operator has a {variant} form")
        graph = merged([c.graph for c, _ in chosen])
        isa = variant_isa(variant)
        plan = in_place_plan(graph) if variant == "in_place" else stacked_plan(graph, isa)
        rng = np.random.default_rng(self.seed + 2)
        schedule = patches(rng, graph) if "patches" in variant else layerwise(graph)
        defines = ["-DTF_FORCE_DSP"] if "dsp" in variant else []
        model = HostModels(tmp_path, [graph], defines, [plan], [schedule], isa)
        outputs = model.run(0, [x for c, _ in chosen for x in c.inputs])
        self._compare(outputs, chosen, variant)

    @pytest.mark.slow
    @pytest.mark.parametrize("board", [*BOARDS, *(pytest.param(b, marks=pytest.mark.long) for b in MORE_BOARDS)])
    def test_emulator(self, board: str, suite: list[Case], expected: list[list[Array]], tmp_path: Path) -> None:
        chosen = [(c, e) for c, e in zip(suite, expected, strict=True) if not c.no_c]
        self._emulate(board, chosen, tmp_path)

    @pytest.mark.slow
    @pytest.mark.parametrize("board", SCALAR_BOARDS)
    def test_scalar_emulator(self, board: str, suite: list[Case], expected: list[list[Array]], tmp_path: Path) -> None:
        both = zip(suite, expected, strict=True)
        self._emulate(board, [(c, e) for c, e in both if not c.no_c and has_variant(c.graph, "scalar")], tmp_path)

    def _emulate(self, board: str, chosen: list[tuple[Case, list[Array]]], tmp_path: Path) -> None:
        if not chosen:
            pytest.skip("no case of this operator has a kernel for this board")
        core = load_board(board).core
        emulator = "qemu-system-riscv32" if core.is_riscv else "qemu-system-arm"
        if not core.unicorn_model and shutil.which(emulator) is None:
            pytest.skip(f"no {emulator}")
        graph = merged([c.graph for c, _ in chosen])
        outputs = emulate(tmp_path / "build", graph, [x for c, _ in chosen for x in c.inputs], board)
        self._compare(outputs, chosen, board)

    @staticmethod
    def _compare(outputs: list[Array], chosen: list[tuple[Case, list[Array]]], what: str) -> None:
        rest = iter(outputs)
        for case, results in chosen:
            assert_equal([next(rest) for _ in results], results, case, what)


def describe(case: Case) -> str:
    node = case.graph.nodes[0]
    return f"{node.op} " + " ".join(f"{t.type}{'=const' if t.is_constant else ''}" for t in case.graph.tensors.values())


def assert_equal(got: Sequence[Array], want: Sequence[Array], case: Case, what: str = "") -> None:
    """Same integers; floats bit for bit."""
    for g, w in zip(got, want, strict=True):
        assert g.shape == w.shape, f"{what} {describe(case)}"
        if not np.array_equal(g, w):
            bad = np.argwhere(np.asarray(g != w))
            at = tuple(bad[0])
            message = f"{what}: {len(bad)} of {g.size} differ, first at {at}: got {g[at]}, want {w[at]}"
            raise AssertionError(f"{message}; {describe(case)}")
