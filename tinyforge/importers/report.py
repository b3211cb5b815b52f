"""What an importer found in a file, operator by operator; for all importers, printed by ``tinyforge check``."""

from __future__ import annotations

from dataclasses import dataclass

from tinyforge.errors import UnsupportedModel

_NAMED = 4  # operators named in an error before "and n more"


def short_name(name: str) -> str:
    """Converters join the names of everything they fused; the ends are what tells them apart."""
    return name if len(name) <= 60 else f"{name[:28]}...{name[-28:]}"


@dataclass(frozen=True, slots=True)
class EdgeReport:
    """An input or output as the file has it: dtype in numpy's words, scale 0.0 where it is not quantised."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    zero_point: int


@dataclass(frozen=True, slots=True)
class OperatorReport:
    """One operator of the file. ``name`` is the name of its (first) output tensor; ``note`` says what becomes of a
    supported one that is not compiled as it stands; ``reason`` and ``advice`` are empty when it is supported."""

    index: int
    name: str
    kind: str
    supported: bool
    reason: str = ""
    advice: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class ModelReport:
    """Everything known about a file before anything is compiled. ``problems`` concern the file as a whole."""

    file: str
    name: str
    inputs: tuple[EdgeReport, ...]
    outputs: tuple[EdgeReport, ...]
    operators: tuple[OperatorReport, ...]
    problems: tuple[str, ...] = ()

    @property
    def supported(self) -> bool:
        return not self.problems and all(op.supported for op in self.operators)

    @property
    def unsupported(self) -> tuple[OperatorReport, ...]:
        return tuple(op for op in self.operators if not op.supported)

    def refusal(self) -> UnsupportedModel:
        """The one error that names everything that stands in the way."""
        parts = list(self.problems)
        bad = self.unsupported
        if bad:
            named = "; ".join(f"#{op.index} {op.kind} {short_name(op.name)}: {op.reason}" for op in bad[:_NAMED])
            more = f"; and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
            parts.append(f"{len(bad)} of {len(self.operators)} operators cannot be compiled: {named}{more}")
        advice = next((op.advice for op in bad if op.advice), "")
        hint = f"{advice}; " if advice else ""
        return UnsupportedModel(
            f"{self.file}: {'; '.join(parts)}. {hint}for the whole list: tinyforge check {self.file}"
        )
