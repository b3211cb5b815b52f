"""NOR flash as the hardware is: erased by sectors to ones, programming only clears bits, in whole aligned units."""

from __future__ import annotations

from tinyforge.target import Board


class PowerCut(Exception):
    """The supply went away in the middle."""


class NorFlash:
    """Flash of `board`. problems: rules broken. operations_left: erases and programs until the power is cut, None for
    ever. locked: nothing can be erased or programmed. A cut leaves a half-programmed unit and a half-erased sector."""

    def __init__(self, board: Board) -> None:
        self.origin, self.geometry = board.flash.origin, board.geometry
        self.data = bytearray(b"\xff" * board.flash.size)
        self.problems: list[str] = []
        self.operations_left: int | None = None
        self.locked = False

    def _spend(self) -> bool:
        """Whether the power lasts for one more operation."""
        if self.operations_left is None:
            return True
        self.operations_left -= 1
        return self.operations_left >= 0

    def erase(self, offset: int) -> None:
        """Erase the sector that holds `offset`."""
        if self.locked:
            self.problems.append("erase while locked")
            return
        ((begin, size),) = self.geometry.sectors_of(offset, offset + 1)
        alive = self._spend()
        self.data[begin : begin + (size if alive else size // 2)] = b"\xff" * (size if alive else size // 2)
        if not alive:
            raise PowerCut

    def erase_all(self) -> None:
        """Erase every sector."""
        at = 0
        for run in self.geometry.sectors:
            for _ in range(run.count):
                self.erase(at)
                at += run.size

    def program(self, offset: int, data: bytes) -> None:
        """Clear bits. A one over a zero is noted and has no effect."""
        if self.locked:
            self.problems.append("program while locked")
            return
        alive = self._spend()
        for i, byte in enumerate(data if alive else data[: len(data) // 2]):
            if byte & ~self.data[offset + i]:
                self.problems.append(f"programmed without erase at 0x{offset + i:x}")
            self.data[offset + i] &= byte
        if not alive:
            raise PowerCut

    def content(self, size: int) -> bytes:
        """The first `size` bytes."""
        return bytes(self.data[:size])
