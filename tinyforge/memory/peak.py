"""Where a memory timeline is fullest."""

from __future__ import annotations

from collections.abc import Sequence

from tinyforge.ir.memory_plan import Buffer


def peak(timeline: Sequence[Buffer]) -> tuple[int, tuple[str, ...]]:
    """The step in which most of the arena is in use, bytes that buffers share counted once, and whose it is, largest
    first."""
    steps = sorted({b.first_use for b in timeline})
    if not steps:
        return 0, ()

    def alive(step: int) -> list[Buffer]:
        return [b for b in timeline if b.first_use <= step <= b.last_use]

    most = max(steps, key=lambda s: (covered(alive(s)), -s))
    largest = sorted(alive(most), key=lambda b: (-b.nbytes, b.names))
    return most, tuple("/".join(b.names) for b in largest)


def covered(buffers: Sequence[Buffer]) -> int:
    """Bytes of the arena that lie in one of the buffers or more."""
    total = top = 0
    for begin, end in sorted((b.offset, b.offset + b.nbytes) for b in buffers):
        total += max(end - max(begin, top), 0)
        top = max(top, end)
    return total
