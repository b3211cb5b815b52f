from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from tinyforge.memory.planner import Block, Packing, lower_bound, pack

BLOCKS = st.lists(
    st.tuples(st.integers(0, 60), st.sampled_from([1, 4, 16]), st.integers(0, 8), st.integers(0, 5)),
    max_size=14,
).map(lambda rows: [Block(f"b{i}", s, a, f, f + d) for i, (s, a, f, d) in enumerate(rows)])


def check(blocks: list[Block], packing: Packing) -> None:
    for block, offset in zip(blocks, packing.offsets, strict=True):
        assert offset >= 0
        assert offset % block.align == 0
        assert offset + block.size <= packing.arena_bytes
    for (a, x), (b, y) in itertools.combinations(zip(blocks, packing.offsets, strict=True), 2):
        if a.first_use <= b.last_use and b.first_use <= a.last_use and a.size and b.size:
            assert x + a.size <= y or y + b.size <= x, (a, x, b, y)


@given(BLOCKS)
@settings(max_examples=300, deadline=None)
def test_packing_is_legal_and_no_smaller_than_its_bound(blocks: list[Block]) -> None:
    packing = pack(blocks, effort=2000)
    check(blocks, packing)
    assert packing.lower_bound == lower_bound(blocks) <= packing.arena_bytes
    assert pack(blocks, effort=2000) == packing


def brute_force(blocks: list[Block]) -> int:
    """Smallest arena over all orders of placing each block as low as it goes."""
    best = 1 << 30
    for order in itertools.permutations(blocks):
        placed: list[tuple[Block, int]] = []
        for b in order:
            taken = sorted(
                (o, o + p.size) for p, o in placed if p.first_use <= b.last_use and b.first_use <= p.last_use
            )
            at = 0
            for lo, hi in taken:
                if at + b.size <= lo:
                    break
                at = max(at, -(-hi // b.align) * b.align)
            placed.append((b, at))
        best = min(best, max((o + p.size for p, o in placed), default=0))
    return best if blocks else 0


@given(BLOCKS.map(lambda b: [x for x in b if x.size][:6]))
@settings(max_examples=60, deadline=None)
def test_proven_optimal_means_no_order_does_better(blocks: list[Block]) -> None:
    packing = pack(blocks)
    assert packing.proven_optimal
    assert packing.arena_bytes == brute_force(blocks)


def test_search_beats_greedy_where_greedy_fails() -> None:
    blocks = [
        Block("a", 36, 1, 0, 3),
        Block("b", 24, 1, 0, 1),
        Block("c", 10, 1, 1, 2),
        Block("d", 44, 1, 3, 5),
        Block("e", 14, 1, 2, 5),
        Block("f", 30, 1, 4, 6),
    ]
    packing = pack(blocks)
    check(blocks, packing)
    assert packing.proven_optimal
    assert packing.arena_bytes <= pack(blocks, effort=0).arena_bytes


def test_nothing_to_place() -> None:
    assert pack([]) == Packing((), 0, 0, True)


def test_greedy_orders_keep_an_output_next_to_the_input_it_may_grow_over() -> None:
    """One output is smaller than its input and one larger: no order by size suits both, from either end."""
    blocks = [
        Block("input", 104, 4, 0, 0),
        Block("smaller output", 60, 4, 0, 0),
        Block("line buffer", 64, 4, 0, 0),
        Block("input", 12, 4, 1, 1),
        Block("larger output", 104, 4, 1, 1),
        Block("line buffer", 4, 4, 1, 1),
    ]
    found = pack(blocks, {(1, 0): 4, (4, 3): 52}, effort=0)
    assert found.arena_bytes == found.lower_bound == 4 + 104 + 64
