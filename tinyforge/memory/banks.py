"""An arena in several SRAM banks: which buffer goes to which, the hottest to the fastest, never one cut in two.

Buffers are dealt out one by one, each to the fastest bank where a packing of everything dealt there so far still fits;
where one fits nowhere the last choices are taken back. Dealt from the hottest byte downwards the fast bank ends up with
what is touched most; where that leads nowhere they are dealt from the largest downwards, and hot ones move afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import ArenaPart, MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import Schedule
from tinyforge.memory.plan import Demand, make_demand
from tinyforge.memory.planner import Block, Overlaps, Packing, lower_bound, pack
from tinyforge.memory.traffic import block_traffic

START_ALIGN = 16
"""Alignment of each part's array, and of its first offset."""
DEALS = 600
"""Packings that are tried for one order of dealing, at most."""


@dataclass(frozen=True, slots=True)
class BankRoom:
    """An SRAM bank as a model sees it. ``room_bytes``: what firmware data and stack leave of it. ``speed``: 0 is the
    fastest. ``main``: the bank with the firmware's data."""

    name: str
    room_bytes: int
    speed: int = 0
    main: bool = False


def plan_in_banks(
    graph: Graph,
    schedule: Schedule,
    calls: Sequence[KernelCall],
    rooms: Sequence[BankRoom],
    limit: int | None = None,
    *,
    effort: int = 20_000,
) -> MemoryPlan | None:
    """The plan of ``schedule`` over ``rooms`` (in the order of the board), within ``limit`` bytes in all; None where no
    way was found."""
    for share in (True, False):
        demand = make_demand(graph, schedule, calls, share)
        heat = block_traffic(graph, schedule, calls, demand)
        split = deal(demand.blocks, demand.overlaps, heat, rooms, effort=effort)
        if split is not None and (limit is None or split.arena_bytes <= limit):
            return _plan(demand, split, rooms)
    return None


def in_one_bank(plan: MemoryPlan, rooms: Sequence[BankRoom]) -> tuple[ArenaPart, ...] | None:
    """``parts`` of an undivided arena in the fastest bank that has room for it, of equals the first; None without."""
    fits = [r for r in rooms if plan.arena_bytes <= r.room_bytes]
    if not fits:
        return None
    room = min(fits, key=lambda r: r.speed)
    return () if room.main else (ArenaPart(room.name, 0, plan.arena_bytes, main=False),)


@dataclass(frozen=True, slots=True)
class Split:
    """``bank[i]``: index of the room that block i lies in, ``offsets[i]``: from its start; ``used``: bytes by room."""

    bank: tuple[int, ...]
    offsets: tuple[int, ...]
    used: tuple[int, ...]
    lower_bound: int

    @property
    def arena_bytes(self) -> int:
        return sum(self.used)


def deal(
    blocks: Sequence[Block], overlaps: Overlaps, heat: Sequence[int], rooms: Sequence[BankRoom], *, effort: int
) -> Split | None:
    """Blocks over rooms; ``heat``: bytes read and written of each block. Deterministic. None where no way was found."""
    bound = lower_bound(blocks, overlaps)
    if bound > sum(r.room_bytes for r in rooms):
        return None
    indices = [i for i, b in enumerate(blocks) if b.size]
    hottest = sorted(indices, key=lambda i: (-heat[i] / blocks[i].size, -blocks[i].size, i))
    largest = sorted(indices, key=lambda i: (-blocks[i].size, -heat[i], i))
    for order in (hottest, largest):
        table = _Table(blocks, overlaps, heat, rooms)
        if table.deal(order):
            table.warm(hottest)
            return table.split(bound, effort)
    return None


class _Table:
    """Blocks on their way into banks."""

    def __init__(
        self, blocks: Sequence[Block], overlaps: Overlaps, heat: Sequence[int], rooms: Sequence[BankRoom]
    ) -> None:
        self.blocks, self.overlaps, self.heat, self.rooms = blocks, overlaps, heat, rooms
        self.fastest_first = sorted(range(len(rooms)), key=lambda r: (rooms[r].speed, r))
        self.held: list[list[int]] = [[] for _ in rooms]
        self.left = 0

    def deal(self, order: Sequence[int]) -> bool:
        """Give every block a bank; False when that cannot be done, or takes too long to find out."""
        self.left = DEALS + 2 * len(order)
        turn = [0] * (len(order) + 1)  # how many rooms, fastest first, were tried for each block
        at = 0
        while at < len(order):
            room = self._next(order[at], turn[at])
            if room is not None:
                self.held[self.fastest_first[room]].append(order[at])
                turn[at] = room + 1
                at += 1
            elif at == 0 or self.left <= 0:
                return False
            else:
                turn[at] = 0
                at -= 1
                self.held[self.fastest_first[turn[at] - 1]].pop()
        return True

    def _next(self, block: int, tried: int) -> int | None:
        """The next room, as a place in ``fastest_first``, where the block fits; None without."""
        for k in range(tried, len(self.rooms)):
            room = self.fastest_first[k]
            if self.left > 0 and self.fits(room, [*self.held[room], block]):
                return k
        return None

    def fits(self, room: int, members: Sequence[int]) -> bool:
        """Whether a packing of the blocks in the room is found."""
        self.left -= 1
        size = self.rooms[room].room_bytes
        blocks, overlaps = self._some(members)
        return lower_bound(blocks, overlaps) <= size and pack(blocks, overlaps, effort=0).arena_bytes <= size

    def _some(self, members: Sequence[int]) -> tuple[list[Block], dict[tuple[int, int], int]]:
        place = {block: k for k, block in enumerate(members)}
        overlaps = {(place[i], place[j]): d for (i, j), d in self.overlaps.items() if i in place and j in place}
        return [self.blocks[i] for i in members], overlaps

    def warm(self, hottest: Sequence[int]) -> None:
        """Move hot blocks to faster banks, in exchange for one colder block where there is no room."""
        self.left = DEALS
        for block in hottest:
            home = next(r for r in self.fastest_first if block in self.held[r])
            for room in self.fastest_first[: self.fastest_first.index(home)]:
                if self.rooms[room].speed < self.rooms[home].speed and self._move(block, home, room):
                    break

    def _move(self, block: int, home: int, room: int) -> bool:
        colder = sorted((j for j in self.held[room] if self.heat[j] < self.heat[block]), key=lambda j: self.heat[j])
        exchanges: Iterable[int | None] = (None, *colder)
        for other in exchanges:
            if self.left <= 0:
                return False
            there = [*(j for j in self.held[room] if j != other), block]
            here = [*(j for j in self.held[home] if j != block), *([] if other is None else [other])]
            if self.fits(room, there) and self.fits(home, here):
                self.held[room], self.held[home] = there, here
                return True
        return False

    def split(self, bound: int, effort: int) -> Split:
        """The answer, every bank packed as well as can be."""
        bank, offsets = [0] * len(self.blocks), [0] * len(self.blocks)
        used = []
        for room, held in enumerate(self.held):
            members = sorted(held)
            packing = pack(*self._some(members), effort=effort)
            used.append(packing.arena_bytes)
            for block, offset in zip(members, packing.offsets, strict=True):
                bank[block], offsets[block] = room, offset
        return Split(tuple(bank), tuple(offsets), tuple(used), bound)


def _plan(demand: Demand, split: Split, rooms: Sequence[BankRoom]) -> MemoryPlan:
    starts, parts, at = [0] * len(rooms), [], 0
    for i, (room, used) in enumerate(zip(rooms, split.used, strict=True)):
        starts[i] = at
        if used:
            parts.append(ArenaPart(room.name, at, used, room.main))
            at = -(-(at + used) // START_ALIGN) * START_ALIGN
    packing = Packing(
        offsets=tuple(starts[b] + o for b, o in zip(split.bank, split.offsets, strict=True)),
        arena_bytes=split.arena_bytes,
        lower_bound=split.lower_bound,
        proven_optimal=split.arena_bytes <= split.lower_bound,
    )
    return demand.plan(packing, _without_input(demand, split), tuple(parts))


def _without_input(demand: Demand, split: Split) -> int:
    """Bytes in all banks when the blocks that hold model input only are taken out of them."""
    total = 0
    for room, used in enumerate(split.used):
        members = [i for i, b in enumerate(split.bank) if b == room and demand.blocks[i].name not in demand.inputs_only]
        place = {block: k for k, block in enumerate(members)}
        overlaps = {(place[i], place[j]): d for (i, j), d in demand.overlaps.items() if i in place and j in place}
        total += min(used, pack([demand.blocks[i] for i in members], overlaps, effort=0).arena_bytes)
    return total
