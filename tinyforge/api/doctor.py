"""``tinyforge.doctor``: which tools are here, what each is for, how to get the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tinyforge.toolchain.doctor import Tool


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All tools, the needed ones first. ``trouble``: what is wrong with the compiler that comes along, else empty."""

    tools: tuple[Tool, ...]
    trouble: str

    @property
    def healthy(self) -> bool:
        """Whether everything needed is here."""
        return not self.trouble and all(tool.found for tool in self.tools if tool.needed)

    def as_json(self) -> dict[str, Any]:
        tools = [
            {
                "name": tool.name,
                "found": tool.found,
                "version": tool.version,
                "path": tool.path,
                "needed": tool.needed,
                "used_for": tool.used_for,
                "how_to_get": tool.how_to_get,
            }
            for tool in self.tools
        ]
        return {"healthy": self.healthy, "trouble": self.trouble, "tools": tools}


def doctor() -> Diagnosis:
    """Look at this installation. Never raises for a missing tool."""
    from tinyforge.toolchain.doctor import compiler_works, find_tools

    return Diagnosis(find_tools(), compiler_works())
