"""Search spaces as TOML files: the presets that come along, and the user's own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tinyforge.errors import UsageError
from tinyforge.search.space import BLOCKS, POOLS, SearchSpace, StageSpace, StemSpace, sides
from tinyforge.target.fields import Fields

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

if TYPE_CHECKING:
    from tinyforge.search.dataset import Dataset

PRESETS = Path(__file__).resolve().parent / "presets"


def preset_names() -> list[str]:
    """Names of the spaces that come along."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_space(name: str) -> SearchSpace:
    """The preset ``name``, or the space in the file ``name`` where that ends in .toml. Raises UsageError."""
    path = Path(name) if name.endswith(".toml") else PRESETS / f"{name}.toml"
    if not path.is_file():
        raise UsageError(f"there is no search space {name!r}; give a .toml file or one of: {', '.join(preset_names())}")
    try:
        return parse_space(path.read_text(encoding="utf-8"), path.name)
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 text: {error}") from error


def space_for(name: str, data: Dataset) -> SearchSpace:
    """The space ``name``, as ``load_space`` finds it, for ``data``. Raises UsageError where it has other dimensions."""
    space = load_space(name).for_data(data.shape)
    if space.dims != data.dims:
        raise UsageError(f"space {name} is for data of {space.dims} dimensions, {data.name} has {data.dims}")
    return space


def parse_space(text: str, where: str) -> SearchSpace:
    """The space a TOML text describes; ``where`` names it in messages. Raises UsageError."""
    try:
        fields = Fields(tomllib.loads(text), where)
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{where}: not valid TOML: {error}") from error
    return _space(fields)


def space_text(space: SearchSpace) -> str:
    """TOML that ``parse_space`` reads back as the same space."""
    lines = [f"name = {json.dumps(space.name)}", f"title = {json.dumps(space.title)}", f"dims = {space.dims}"]
    lines += [f"{key} = {list(getattr(space, key))}" for key in ("resolutions", "channels") if getattr(space, key)]
    stem = space.stem
    pairs = [f"{key} = {_sides_text(getattr(stem, key), space.dims)}" for key in ("kernel", "stride")]
    lines += ["", "[stem]", *pairs, f"widths = {list(stem.widths)}"]
    lines += ["", "[head]", f"widths = {list(space.head)}"]
    for stage in space.stages:
        keys = ("widths", "depths", "kernels") + (("expands", "squeeze") if stage.block == "mbconv" else ())
        lines += ["", "[[stages]]", f'block = "{stage.block}"', f"stride = {stage.stride}"]
        lines += [f'pool = "{stage.pool}"'] if stage.pool else []
        lines += [f"{key} = {list(getattr(stage, key))}" for key in keys]
    return "\n".join([*lines, ""])


def _space(fields: Fields) -> SearchSpace:
    stem, head = fields.table("stem"), fields.table("head")
    dims = fields.integer("dims", 2, 1, 2)
    space = SearchSpace(
        name=fields.text("name"),
        title=fields.text("title"),
        dims=dims,
        resolutions=_choices(fields, "resolutions", 4, 1024, optional=True),
        channels=_choices(fields, "channels", 1, 512, optional=True),
        stem=StemSpace(
            _sides(stem, "kernel", 3, 15, dims), _sides(stem, "stride", 1, 4, dims), _choices(stem, "widths", 1, 1024)
        ),
        stages=tuple(_stage(table) for table in fields.tables("stages")),
        head=_choices(head, "widths", 0, 4096),
    )
    for table in (stem, head, fields):
        table.finish()
    if not 1 <= len(space.stages) <= 16:
        fields.fail("stages", f"{len(space.stages)} stages; a space has 1 to 16")
    return space


def _stage(fields: Fields) -> StageSpace:
    block = fields.text("block", allowed=BLOCKS)
    stage = StageSpace(
        block=block,
        stride=fields.integer("stride", 1, 1, 4),
        widths=_choices(fields, "widths", 1, 2048),
        depths=_choices(fields, "depths", 1, 12),
        kernels=_choices(fields, "kernels", 1, 15),
        expands=_choices(fields, "expands", 1, 12) if block == "mbconv" else (1,),
        squeeze=_choices(fields, "squeeze", 0, 1, optional=True) or (0,) if block == "mbconv" else (0,),
        pool=fields.text("pool", "", ("", *POOLS)),
    )
    fields.finish()
    if any(k % 2 == 0 for k in stage.kernels):
        fields.fail("kernels", f"{list(stage.kernels)}: kernels are odd, so that they have a centre")
    if stage.pool and stage.stride == 1:
        fields.fail("pool", "pooling needs a stride of 2 or more, which is the side of its windows too")
    return stage


def _sides(fields: Fields, key: str, default: int, high: int, dims: int) -> tuple[int, int]:
    """One number for rows and columns, or a list of both."""
    value = fields.value(key, (int, list), default)
    if isinstance(value, int):
        value = sides(value, dims)
    if len(value) != 2 or any(not isinstance(v, int) or isinstance(v, bool) or not 1 <= v <= high for v in value):
        fields.fail(key, f"{value!r} is neither one number nor two in 1..{high}, for rows and columns")
    rows, cols = value
    if dims == 1 and cols != 1:
        fields.fail(key, f"{value!r}: signals have one column; give one number")
    return rows, cols


def _sides_text(pair: tuple[int, int], dims: int) -> str:
    return str(pair[0] if pair == sides(pair[0], dims) else list(pair))


def _choices(fields: Fields, key: str, low: int, high: int, optional: bool = False) -> tuple[int, ...]:
    """A list of distinct integers in [low, high], sorted."""
    values = tuple(fields.items(key, [])) if optional else fields.integers(key)
    if not values and not optional:
        fields.fail(key, "give at least one choice")
    for value in values:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            fields.fail(key, f"{value!r} is no integer in {low}..{high}")
    if len(set(values)) != len(values):
        fields.fail(key, f"{list(values)} names a choice twice")
    return tuple(sorted(values))
