"""From a schedule to one arena: lifetimes, sharing (aliases, in-place operators), packing, and where the peak is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import ArenaPart, Buffer, Layout, LayoutKind, MemoryPlan, Move, Placement
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import FusedStage, Halo, Schedule
from tinyforge.memory.layouts import fed_layout, stage_layouts, whole_layout
from tinyforge.memory.moves import with_moves
from tinyforge.memory.overlaps import distances
from tinyforge.memory.peak import peak
from tinyforge.memory.planner import Block, Packing, pack
from tinyforge.ops.channel_slices import sliced_calls
from tinyforge.ops.stage_windows import StageWalk, walk_stage

__all__ = ["ALIGN", "Demand", "MemoryPlan", "Placement", "make_demand", "plan_memory", "replan"]

FEED_STATE = "feed state"
ALIGN = 4
"""Alignment of every buffer: the widest element a kernel reads directly is 32 bits."""


@dataclass(slots=True)
class _Life:
    """A tensor's (later a group's) buffer while the plan is made."""

    names: list[str]
    layout: Layout
    nbytes: int
    first_use: int
    last_use: int
    kind: str
    origin: int = -1  # node that made it


@dataclass(slots=True)
class _Work:
    lives: dict[str, _Life]
    group: dict[str, str]
    sums: dict[int, int] = field(default_factory=dict)  # reductions that end a stage -> first step of the stage
    accumulators: set[str] = field(default_factory=set)  # blocks of scratch that hold such sums
    feed: tuple[int, int] | None = None  # bytes of the feed state, last step of stage 0
    begins: dict[str, int] = field(default_factory=dict)  # first and last step of the stage that makes a tensor
    ends: dict[str, int] = field(default_factory=dict)
    aliases: set[int] = field(default_factory=set)
    in_place: dict[int, str] = field(default_factory=dict)

    def root(self, name: str) -> str:
        while self.group[name] != name:
            name = self.group[name]
        return name


_StageOf = dict[int, FusedStage]
_Layouts = dict[str, tuple[Layout, bool]]


def plan_memory(
    graph: Graph,
    schedule: Schedule,
    calls: Sequence[KernelCall],
    *,
    effort: int = 20_000,
    below: int | None = None,
    moves: bool = False,
) -> MemoryPlan:
    """Place every activation and scratch buffer of ``graph`` run by ``schedule``; ``calls[i]`` is node i's kernel call.

    Graph inputs are alive from the start to their last use and may be overwritten then; outputs to the end. Sharing
    (in place) is kept only where the arena gets no larger. ``below``: only a plan of fewer bytes is of use, as for
    ``pack``. ``moves``: buffers may be moved between stages where that makes it smaller. ValueError for a schedule that
    makes no sense.
    """
    best: MemoryPlan | None = None
    for share in (True, False):
        plan = _plan(make_demand(graph, schedule, calls, share), effort, below, moves)
        below = plan.arena_bytes if below is None else min(below, plan.arena_bytes)
        if best is None or plan.arena_bytes < best.arena_bytes:
            best = plan
        if best.proven_optimal or not best.in_place:
            break
    assert best is not None
    return best


def _plan(demand: Demand, effort: int, below: int | None, moves: bool) -> MemoryPlan:
    packing = pack(demand.blocks, demand.overlaps, effort=0 if moves else effort, below=below)
    if moves and packing.arena_bytes > packing.lower_bound and (below is None or packing.lower_bound < below):
        demand, packing = _moved(demand, packing, effort, below)
    rest = pack([_without(demand, b) for b in demand.blocks], demand.overlaps, effort=0)
    return demand.plan(packing, min(rest.arena_bytes, packing.arena_bytes))


def _moved(demand: Demand, packing: Packing, effort: int, below: int | None) -> tuple[Demand, Packing]:
    """With moves, or without them where a longer search does as well."""
    moved = with_moves(demand, packing, effort // 8, below)
    if moved[1].arena_bytes <= packing.lower_bound:
        return moved
    still = pack(demand.blocks, demand.overlaps, effort=effort, below=below)
    return (demand, still) if still.arena_bytes <= moved[1].arena_bytes else moved


def replan(
    plan: MemoryPlan, scratch: Mapping[int, int], scratch_bytes: Mapping[int, int], timeline: Sequence[Buffer]
) -> MemoryPlan:
    """The plan with other scratch buffers."""
    step, buffers = peak(timeline)
    return replace(
        plan,
        scratch=scratch,
        scratch_bytes=scratch_bytes,
        timeline=tuple(sorted(timeline, key=lambda b: (b.first_use, b.offset, b.names))),
        arena_bytes=max((b.offset + b.nbytes for b in timeline), default=0),
        peak_step=step,
        peak_buffers=buffers,
    )


def _without(demand: Demand, block: Block) -> Block:
    """Nothing in place of a block that holds model input only."""
    return Block(block.name, 0, ALIGN, 0, 0) if block.name in demand.inputs_only else block


@dataclass(frozen=True, slots=True, eq=False)
class Demand:
    """What has to be placed. ``blocks``: tensors (those that share a buffer once, under the name of the first), then
    scratch, then the feed state. ``overlaps``: between them, as the planner takes them. ``inputs_only``: names of
    blocks that hold nothing but model inputs. ``scratch``: node -> bytes, in the order of the blocks. ``movable``:
    blocks that could move, each with the step before which it would: its last stage. ``cuts``: those that do; the
    blocks of where they go follow those of the tensors, in the same order."""

    work: _Work
    blocks: tuple[Block, ...]
    overlaps: dict[tuple[int, int], int]
    inputs_only: frozenset[str]
    scratch: dict[int, int]
    movable: dict[int, int]
    cuts: dict[int, int] = field(default_factory=dict)

    @property
    def tensors(self) -> int:
        """The first so many blocks are tensors."""
        return len(self.blocks) - len(self.scratch) - len(self.cuts) - (self.work.feed is not None)

    def cut(self, cuts: Mapping[int, int]) -> Demand:
        """The same, nothing cut so far, with tensors' blocks cut in two before the given steps."""
        count = self.tensors
        low = [replace(b, last_use=cuts[i] - 1) if i in cuts else b for i, b in enumerate(self.blocks[:count])]
        high = [replace(self.blocks[i], first_use=step) for i, step in cuts.items()]
        moved = {i: count + n for n, i in enumerate(cuts)}  # inputs are overlapped in their last stage
        overlaps = {(out, moved.get(source, source)): d for (out, source), d in self.overlaps.items()}
        return replace(self, blocks=(*low, *high, *self.blocks[count:]), overlaps=overlaps, cuts=dict(cuts))

    def moving(self, packing: Packing) -> frozenset[int]:
        """Blocks that are cut and go elsewhere."""
        places = enumerate(self.cuts, self.tensors)
        return frozenset(i for to, i in places if packing.offsets[to] != packing.offsets[i])

    def _moves(self, packing: Packing) -> tuple[Move, ...]:
        return tuple(
            Move(self.cuts[i], self.members(i), packing.offsets[i], packing.offsets[to], self.blocks[i].size)
            for to, i in enumerate(self.cuts, self.tensors)
            if i in self.moving(packing)
        )

    def members(self, block: int) -> tuple[str, ...]:
        """Tensors that lie in a block; none in scratch."""
        return tuple(self.work.lives[self.blocks[block].name].names) if block < self.tensors else ()

    def plan(self, packing: Packing, without_input: int, parts: tuple[ArenaPart, ...] = ()) -> MemoryPlan:
        """The memory plan where the blocks lie as ``packing`` says."""
        work, scratch = self.work, self.scratch
        timeline = _timeline(work, self.blocks, packing.offsets)
        peak_step, peak_buffers = peak(timeline)
        offsets = dict(zip((b.name for b in self.blocks[: self.tensors]), packing.offsets, strict=False))
        return MemoryPlan(
            placements={
                name: Placement(offsets[work.root(name)], life.layout.nbytes, life.layout)
                for name, life in work.lives.items()
            },
            scratch=dict(zip(scratch, packing.offsets[self.tensors + len(self.cuts) :], strict=False)),
            scratch_bytes=scratch,
            aliases=frozenset(work.aliases),
            in_place=dict(work.in_place),
            arena_bytes=packing.arena_bytes,
            arena_bytes_without_input=without_input,
            lower_bound=packing.lower_bound,
            proven_optimal=packing.proven_optimal,
            peak_step=peak_step,
            peak_buffers=peak_buffers,
            timeline=timeline,
            feed_state=packing.offsets[-1] if work.feed else -1,
            parts=parts,
            moves=self._moves(packing),
        )


def make_demand(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall], share: bool) -> Demand:
    """Buffers with their lifetimes; ``share``: operators that can work in place do. ValueError for a schedule that
    makes no sense."""
    work = _lifetimes(graph, schedule, calls)
    _merge(graph, schedule, calls, work, share)
    roots = [name for name, parent in work.group.items() if name == parent]
    scratch = {i: call.scratch_bytes for i, call in enumerate(calls) if call.scratch_bytes and i not in work.aliases}
    names = {i: f"scratch of {graph.nodes[i].name}" for i in scratch}
    work.accumulators.update(names[i] for i in scratch if i in work.sums)
    blocks = [Block(r, work.lives[r].nbytes, ALIGN, work.lives[r].first_use, work.lives[r].last_use) for r in roots] + [
        Block(names[i], size, ALIGN, work.sums.get(i, i), i) for i, size in scratch.items()
    ]
    if work.feed:
        blocks.append(Block(FEED_STATE, work.feed[0], ALIGN, 0, work.feed[1]))
    return Demand(
        work=work,
        blocks=tuple(blocks),
        overlaps=_overlaps(graph, schedule, calls, work, roots),
        movable=_movable(schedule, work, roots),
        inputs_only=frozenset(r for r in roots if set(work.lives[r].names) <= set(graph.inputs)),
        scratch=scratch,
    )


def _movable(schedule: Schedule, work: _Work, roots: Sequence[str]) -> dict[int, int]:
    """Blocks of whole tensors, neither input nor output, that live through several stages -> first step of the last."""
    firsts = [s.first if isinstance(s, FusedStage) else s.node for s in schedule.stages]
    found = {}
    for i, root in enumerate(roots):
        life = work.lives[root]
        start = max((f for f in firsts if f <= life.last_use), default=0)
        whole = life.layout.kind is LayoutKind.WHOLE and life.kind == "activation"
        if whole and life.nbytes and start > life.first_use:
            found[i] = start
    return found


def _overlaps(
    graph: Graph, schedule: Schedule, calls: Sequence[KernelCall], work: _Work, roots: Sequence[str]
) -> dict[tuple[int, int], int]:
    """Pairs of blocks (output, input) that may overlap, with the least distance of their starts: both whole tensors,
    the input dead after the stage that makes the output."""
    index = {name: i for i, name in enumerate(roots)}
    found = {}
    for (output, source), distance in distances(graph, schedule, calls).items():
        low, high = work.root(output), work.root(source)
        dying, born = work.lives[high], work.lives[low]
        whole = dying.layout.kind is born.layout.kind is LayoutKind.WHOLE and dying.kind != "output"
        if low == high or not whole or dying.last_use > work.ends[output] or born.first_use < work.begins[output]:
            continue
        found[index[low], index[high]] = distance
    return found


def _stages(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall], work: _Work) -> tuple[_StageOf, _Layouts]:
    """The fused stage of every node in one, and the layouts of what its tensors are held in."""
    stage_of: _StageOf = {}
    layouts: _Layouts = {}
    for stage in schedule.stages:
        if not isinstance(stage, FusedStage):
            continue
        sliced_calls(graph, stage, calls)
        walk = walk_stage(graph, stage)
        if not walk.valid:
            raise ValueError(f"stage {stage.first}..{stage.last}: a cached tensor would skip rows needed later")
        layouts.update(stage_layouts(graph, walk))
        stage_of.update({i: stage for i in range(stage.first, stage.last + 1)})
        if walk.nodes[-1].reduces:
            work.sums[stage.last] = stage.first
        if schedule.input_rows and stage is schedule.stages[0]:
            if stage.slices > 1:
                raise ValueError("rows that are fed are there once: the first stage cannot read them slice by slice")
            layouts.update(_fed_input(graph, walk, work))
    if schedule.input_rows and work.feed is None:
        raise ValueError("a row-fed input needs a fused first stage")
    return stage_of, layouts


def _lifetimes(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall]) -> _Work:
    """One life per activation tensor, nothing shared yet."""
    end = len(graph.nodes) - 1
    work = _Work({}, {})
    stage_of, layouts = _stages(graph, schedule, calls, work)
    producer, consumers = graph.producer(), graph.consumers()
    names = dict.fromkeys((*graph.inputs, *(t for n in graph.nodes for t in n.outputs)))
    for name in names:
        made = producer.get(name, -1)
        readers = consumers.get(name, [])
        layout, carried = layouts.get(name, (None, False))
        if layout is None or made < 0 or layout.kind is LayoutKind.WHOLE:
            first, last = _span(made, readers, stage_of, work)
            layout = layout or whole_layout(graph.tensors[name].type)
            life = _Life([name], layout, 0, first, last, "activation", made)
        else:
            stage = stage_of[made]
            first, last = (stage.first, stage.last) if carried else (made, max(readers))
            life = _Life([name], layout, 0, first, last, "line buffer" if carried else "patch", made)
        if name in graph.inputs:
            life.first_use, life.kind = 0, "input"
        if name in graph.outputs:
            life.last_use, life.kind = end, "output"
        life.nbytes = life.layout.nbytes
        work.begins[name], work.ends[name] = _stage_steps(made, stage_of)
        work.lives[name] = life
    work.group = {name: name for name in work.lives}
    return work


def _stage_steps(made: int, stage_of: _StageOf) -> tuple[int, int]:
    return (stage_of[made].first, stage_of[made].last) if made in stage_of else (made, made)


def _fed_input(graph: Graph, walk: StageWalk, work: _Work) -> dict[str, tuple[Layout, bool]]:
    """The ring of rows a row-fed input is held in; notes the state that feeding keeps."""
    (name,) = graph.inputs
    if any(reader > walk.stage.last for reader in graph.consumers()[name]) or name in graph.outputs:
        raise ValueError(f"{name} is fed row by row but read after the first stage")
    counters = sum(walk.stage.mode(n.outputs[0]).rows is Halo.CACHE for n in walk.nodes[:-1])
    work.feed = 4 * (2 + counters), walk.stage.last
    return {name: (fed_layout(graph.tensors[name].type, walk.rows.tensors[name]), True)}


def _span(made: int, readers: Sequence[int], stage_of: _StageOf, work: _Work) -> tuple[int, int]:
    """Steps of a whole tensor: a fused stage writes its output and reads its inputs in every piece; a reduction writes
    its output once, at the end."""
    first = stage_of[made].first if made in stage_of and made not in work.sums else max(made, 0)
    last = max((stage_of[r].last if r in stage_of else r for r in readers), default=first)
    return first, max(first, last)


def _merge(graph: Graph, schedule: Schedule, calls: Sequence[KernelCall], work: _Work, share: bool) -> None:
    """Let outputs take over the buffers of inputs that die there: aliases always, in-place operators if ``share``."""
    fused = {i for s in schedule.stages if isinstance(s, FusedStage) for i in range(s.first, s.last + 1)}
    for i, node in enumerate(graph.nodes):
        if calls[i].alias and i not in fused:
            source = node.inputs[calls[i].in_place[0]]
            if source in work.lives:
                work.aliases.add(i)
                _unite(work, source, node.outputs[0])
            continue
        if not share or len(node.outputs) != 1:
            continue
        for index in calls[i].in_place:
            if _may_overwrite(graph, work, i, index, i in fused):
                work.in_place[i] = node.inputs[index]
                _unite(work, node.inputs[index], node.outputs[0])
                break


def _may_overwrite(graph: Graph, work: _Work, step: int, index: int, fused: bool) -> bool:
    """Whether the output of node ``step`` may lie where its input lies: same bytes laid out alike, input dead after."""
    source, target = graph.nodes[step].inputs[index], graph.nodes[step].outputs[0]
    if source not in work.lives or graph.nodes[step].inputs.count(source) > 1:
        return False
    dying, born = work.lives[work.root(source)], work.lives[target]
    if dying.kind == "output":
        return False
    if dying.last_use != step or dying.layout.nbytes != born.layout.nbytes or born.first_use != step:
        return False
    if not fused:
        return dying.nbytes == born.nbytes
    alike = dying.layout == born.layout and dying.layout.kind is LayoutKind.WINDOW and not dying.layout.shift_cols
    return alike and len(graph.consumers()[source]) == 1


def _unite(work: _Work, source: str, target: str) -> None:
    root = work.root(source)
    into, gone = work.lives[root], work.lives[target]
    work.group[target] = root
    into.names.extend(gone.names)
    into.first_use = min(into.first_use, gone.first_use)
    into.last_use = max(into.last_use, gone.last_use)
    into.nbytes = max(into.nbytes, gone.nbytes)
    if gone.kind == "output" or into.kind not in ("input", "output"):
        into.kind = gone.kind


def _timeline(work: _Work, blocks: Sequence[Block], offsets: Sequence[int]) -> tuple[Buffer, ...]:
    found = []
    for block, offset in zip(blocks, offsets, strict=True):
        life = work.lives.get(block.name)
        other = "accumulator" if block.name in work.accumulators else "scratch"
        names, kind = (tuple(life.names), life.kind) if life else ((block.name,), other)
        found.append(Buffer(names, kind, offset, block.size, block.first_use, block.last_use))
    return tuple(sorted(found, key=lambda b: (b.first_use, b.offset, b.names)))
