"""The generated files around a model: its table for firmware and host harness, and the linker script."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from tinyforge.codegen.build_info import BuildInfo, TensorInfo
from tinyforge.codegen.render import render
from tinyforge.target import Board

# Values of tfb_dtype in firmware/include/tfb_model.h.
DTYPE_CODES = {"int8": 0, "uint8": 1, "int16": 2, "int32": 3, "float32": 4, "bool": 5, "int64": 6}
_MAX_NAME = 60


@dataclass(frozen=True, slots=True)
class RowLayout:
    """How a row-fed input arrives: `rows` rows of `row_bytes`."""

    rows: int
    row_bytes: int


def row_layout(info: BuildInfo) -> RowLayout | None:
    """Rows of the input of a row-fed build (NHWC: the second axis), None where it is written whole."""
    if info.input_mode != "rows":
        return None
    tensor = info.inputs[0]
    rows = tensor.shape[1] if len(tensor.shape) > 1 else 1
    return RowLayout(rows, tensor.nbytes // max(rows, 1))


def model_table(info: BuildInfo) -> str:
    """C text of `tfb_the_model`."""
    rows = row_layout(info)
    inputs = [
        _tensor(tensor, f"in{i}", "tfb_row_buffer" if rows else f"{tensor.getter}()")
        for i, tensor in enumerate(info.inputs)
    ]
    outputs = [_tensor(tensor, f"out{i}", f"{tensor.getter}()") for i, tensor in enumerate(info.outputs)]
    digest = bytes.fromhex(info.digest)[:32].ljust(32, b"\0")
    return render(
        "main.c.j2",
        name=info.name,
        digest=[f"0x{byte:02x}" for byte in digest],
        inputs=inputs,
        outputs=outputs,
        input_count=len(inputs),
        output_count=len(outputs),
        arenas=info.arenas,
        arena_bytes=info.arena_bytes,
        operators=len(info.operators),
        rows=rows,
    )


def _tensor(tensor: TensorInfo, symbol: str, address: str) -> dict[str, object]:
    return {
        "symbol": symbol,
        "name": _c_text(tensor.name),
        "shape": list(tensor.shape) or [0],
        "nbytes": tensor.nbytes,
        "scale_bits": struct.unpack("<I", struct.pack("<f", tensor.scale))[0],
        "zero_point": tensor.zero_point,
        "dtype": DTYPE_CODES[tensor.dtype],
        "rank": len(tensor.shape),
        "address": address,
    }


def _c_text(text: str) -> str:
    """`text` as the inside of a C string: printable ASCII, at most _MAX_NAME characters."""
    plain = "".join(c if " " <= c <= "~" and c not in '\\"?' else "_" for c in text)
    return plain[:_MAX_NAME]


def linker_script(board: Board, stack_bytes: int) -> str:
    """Linker script for `board`; the stack takes `stack_bytes` of the first bank. Sections `.bss.tf_bank.NAME` and
    `.tf_bank.NAME` lie in bank NAME."""
    banks = [{"name": bank.name, "origin": f"0x{bank.origin:08x}", "size": bank.size} for bank in board.banks]
    return render(
        "linker.ld.j2",
        board=board.name,
        flash={"origin": f"0x{board.flash.origin:08x}", "size": board.flash.size},
        constants=None if board.geometry.data_origin is None else f"0x{board.geometry.data_origin:08x}",
        banks=banks,
        main=board.banks[0].name,
        stack_bytes=stack_bytes,
    )
