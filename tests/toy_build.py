"""A hand-written model folder that obeys the compiler's contract: for tests of toolchain, runners and boards.

toy: int8 input (1, 8, 8, 2); operator 0 halves every value in place after a copy to scratch; operator 1 is a
fully-connected layer of 4 outputs with made-up weights; `toy_expected` is its integer reference.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tinyforge.codegen.build_info import (
    BankUse,
    BuildInfo,
    FlashBytes,
    OperatorInfo,
    TensorInfo,
    save_build_info,
)

INPUT_BYTES, OUTPUTS = 128, 4
ARENA_BYTES = INPUT_BYTES + INPUT_BYTES + OUTPUTS
WEIGHTS = (np.arange(INPUT_BYTES * OUTPUTS, dtype=np.int64) * 37 % 251 - 125).astype(np.int8)

_HEADER = """#ifndef TOY_H
#define TOY_H
#include <stdint.h>
#define TOY_ARENA_BYTES 260
#ifndef TOY_ARENA
#define TOY_ARENA toy_arena
#endif
extern uint8_t TOY_ARENA[];
int8_t *toy_input(void);
int8_t *toy_output(void);
void toy_invoke(void);
void toy_begin(void);
void toy_feed_rows(const int8_t *rows, int32_t n);
void toy_end(void);
extern const int8_t toy_weights[512];
#endif
"""

_SOURCE = """#include "toy.h"
#include <stdalign.h>
#include <string.h>
#ifdef TINYFORGE_TRACE
void tf_trace(int32_t op, int32_t output, const void *data, int32_t offset, int32_t n);
#define TF_TRACE(op, output, data, offset, n) tf_trace((op), (output), (data), (offset), (n))
#else
#define TF_TRACE(op, output, data, offset, n) ((void)0)
#endif
#define TF_OP __attribute__((noinline))
alignas(16) uint8_t TOY_ARENA[TOY_ARENA_BYTES];
int8_t *toy_input(void) { return (int8_t *)&TOY_ARENA[0]; }
int8_t *toy_output(void) { return (int8_t *)&TOY_ARENA[256]; }
static TF_OP void toy_op00_half(void) {
  const int8_t *in = (const int8_t *)&TOY_ARENA[0];
  int8_t *out = (int8_t *)&TOY_ARENA[128];
  memcpy(out, in, 128u);
  for (int32_t i = 0; i < 128; i++) {
    out[i] = (int8_t)(out[i] >> 1);
  }
  TF_TRACE(0, 0, out, 0, 64);
  TF_TRACE(0, 0, out + 64, 64, 64);
}
static TF_OP void toy_op01_fully_connected(void) {
  const int8_t *in = (const int8_t *)&TOY_ARENA[128];
  int8_t *out = (int8_t *)&TOY_ARENA[256];
  for (int32_t o = 0; o < 4; o++) {
    int32_t sum = 0;
    for (int32_t i = 0; i < 128; i++) {
      sum += in[i] * toy_weights[o * 128 + i];
    }
    sum = sum / 256;
    out[o] = (int8_t)(sum < -128 ? -128 : sum > 127 ? 127 : sum);
  }
@BUG@  TF_TRACE(1, 0, out, 0, 4);
}
void toy_invoke(void) {
  toy_op00_half();
  toy_op01_fully_connected();
}
"""

_ROWS = """static int32_t toy_row;
void toy_begin(void) { toy_row = 0; }
void toy_feed_rows(const int8_t *rows, int32_t n) {
  memcpy(&TOY_ARENA[toy_row * 16], rows, (size_t)n * 16u);
  toy_row += n;
}
void toy_end(void) { toy_invoke(); }
"""

BUGS = {
    "": "",
    # Past the arena, still in mapped memory on most boards.
    "overflow": "  for (volatile int32_t i = 0; i < 64; i++) { TOY_ARENA[260 + i] = 1; }\n",
    # Nothing is mapped there on any emulated board.
    "wild": "  *(volatile uint8_t *)0x3ffffff0u = 1;\n",
    "unaligned": "  *(volatile uint32_t *)(void *)&TOY_ARENA[1] = 1;\n",
    "endless": "  for (volatile int32_t i = 0; i < 1; i = 0) { }\n",
    "undefined": "  volatile int32_t big = 0x7fffffff; big = big + out[0] * 0 + 1;\n",
}


def toy_inputs(samples: int, seed: int = 0) -> np.ndarray:
    """Random inputs, (samples, 1, 8, 8, 2) int8."""
    return np.random.default_rng(seed).integers(-128, 128, (samples, 1, 8, 8, 2)).astype(np.int8)


def toy_expected(inputs: np.ndarray) -> np.ndarray:
    """Outputs of the model, (samples, 1, 4) int8; C division truncates towards zero."""
    halves = inputs.reshape(len(inputs), INPUT_BYTES) >> 1
    sums = halves.astype(np.int64) @ WEIGHTS.reshape(OUTPUTS, INPUT_BYTES).astype(np.int64).T
    return np.clip(np.sign(sums) * (np.abs(sums) // 256), -128, 127).astype(np.int8)[:, None, :]


def write_toy_build(folder: Path, *, rows: bool = False, bug: str = "") -> Path:
    """Write the model folder; `bug`: a key of BUGS. Returns the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = ", ".join(str(value) for value in WEIGHTS)
    source = _SOURCE.replace("@BUG@", BUGS[bug]) + (_ROWS if rows else "")
    (folder / "toy.h").write_text(_HEADER)
    (folder / "toy.c").write_text(source)
    (folder / "toy_weights.c").write_text(f'#include "toy.h"\nconst int8_t toy_weights[512] = {{{weights}}};\n')
    save_build_info(_info(rows), folder)
    return folder


def _info(rows: bool) -> BuildInfo:
    return BuildInfo(
        name="toy",
        model_file="toy.tflite",
        source_sha256="00" * 32,
        digest="0123456789abcdef" * 4,
        board="emulated_m4",
        arena_bytes=ARENA_BYTES,
        arena_bytes_without_input=ARENA_BYTES - INPUT_BYTES,
        stack_bytes=0,
        flash=FlashBytes(512, 0, 512),
        input_mode="rows" if rows else "whole",
        inputs=(TensorInfo("in", (1, 8, 8, 2), "int8", 0.5, -3, INPUT_BYTES, "toy_input"),),
        outputs=(TensorInfo("out", (1, 4), "int8", 0.25, 7, OUTPUTS, "toy_output"),),
        operators=(
            OperatorInfo(0, "half", "half", "toy_op00_half", 0, (INPUT_BYTES,)),
            OperatorInfo(1, "fc", "fully_connected", "toy_op01_fully_connected", 512, (OUTPUTS,)),
        ),
        banks=(BankUse("sram", ARENA_BYTES, 4 << 20),),
        schedule=({"kind": "layer", "ops": [0]}, {"kind": "layer", "ops": [1]}),
        macs=512,
        executed_macs=512,
    )
