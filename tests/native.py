"""Many generated models in one sanitized native program: runs each once, gives back output and touched arena bytes."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.c_host import STRICT, UNDEFINED
from tinyforge.codegen.arenas import c_arenas
from tinyforge.codegen.generate import generate, lower_graph
from tinyforge.ir.graph import Graph
from tinyforge.ir.memory_plan import MemoryPlan
from tinyforge.ir.program import KernelCall
from tinyforge.ir.schedule import Schedule
from tinyforge.ir.types import Array

SANITIZE = [f"-fsanitize=address,{UNDEFINED}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer"]
# As strict on arenas and tables, and arrays on the stack by their bounds; compiles in a quarter of the time.
QUICK = [
    f"-fsanitize=address,{UNDEFINED}",
    "-fno-sanitize-recover=all",
    "-fsanitize-undefined-trap-on-error",
    *("--param", "asan-instrumentation-with-call-threshold=0"),
    *("--param", "asan-stack=0"),
]


@dataclass(frozen=True)
class Job:
    """One model under one schedule, with the input to run. One input, any number of outputs, all int8."""

    graph: Graph
    schedule: Schedule
    plan: MemoryPlan
    data: Array
    calls: tuple[KernelCall, ...] = ()


@dataclass(frozen=True)
class Answer:
    outputs: dict[str, Array]
    touched_bytes: int
    """Highest arena byte that was ever written, plus one; the sum over the arena's parts."""


_MAIN_HEAD = """
#include <stdint.h>
#include <stdio.h>
#include <string.h>
static uint8_t touched[2][1 << 22];
static void paint(uint8_t *arena, uint32_t n, int v) { memset(arena, v, n); }
static void note(int part, const uint8_t *arena, uint32_t n, int v)
{ for (uint32_t i = 0; i < n; ++i) { touched[part][i] = touched[part][i] || arena[i] != v; } }
static uint32_t mark(int part, uint32_t n)
{
    uint32_t top = 0;
    for (uint32_t i = 0; i < n; ++i) { if (touched[part][i]) { top = i + 1; } touched[part][i] = 0; }
    return top;
}
"""


def _run_function(name: str, job: Job) -> str:
    """C that runs the model twice on differently painted arenas and writes output and touched bytes."""
    upper = name.upper()
    size = job.data.size
    shape = job.graph.tensors[job.graph.inputs[0]].type.hwc
    if job.schedule.input_rows:
        step = 1 + int(job.data.sum()) % 3  # rows per call differ from model to model
        run = (
            f"{name}_begin(); for (int32_t r = 0; r < {shape[0]}; r += {step}) {{ {name}_feed_rows(input + r * "
            f"{shape[1] * shape[2]}, {shape[0]} - r < {step} ? {shape[0]} - r : {step}); }} missing = {name}_end();"
        )
    else:
        run = f"memcpy({name}_input(), input, {size}); {name}_invoke();"
    arenas = c_arenas(job.plan, name)
    paints = " ".join(f"paint({a.macro}, {a.size_macro}, v);" for a in arenas)
    notes = " ".join(f"note({i}, {a.macro}, {a.size_macro}, v);" for i, a in enumerate(arenas))
    marks = " ".join(f"top += mark({i}, {a.size_macro});" for i, a in enumerate(arenas))
    getters = [f"output_{i}" for i in range(len(job.graph.outputs))] if len(job.graph.outputs) > 1 else ["output"]
    writes = " ".join(f"fwrite({name}_{g}(), 1, {upper}_{g.upper()}_BYTES, out);" for g in getters)
    return f"""
static void run_{name}(FILE *in, FILE *out)
{{
    static int8_t input[{size}];
    int32_t missing = 0;
    if (fread(input, 1, {size}, in) != {size}) {{ missing = 1; }}
    for (int v = 0x5a; v <= 0xa5; v += 0x4b) {{
        {paints}
        {run}
        {notes}
    }}
    uint32_t top = 0;
    {marks}
    fwrite(&missing, 4, 1, out); fwrite(&top, 4, 1, out);
    {writes}
}}
"""


def run_jobs(folder: Path, jobs: Sequence[Job], flags: Sequence[str] = ("-O1", *SANITIZE)) -> list[Answer]:
    """Generate, compile with every warning and the sanitizers, run."""
    names = [f"n{i}" for i in range(len(jobs))]
    for name, job in zip(names, jobs, strict=True):
        tree = generate(job.graph, job.schedule, job.plan, job.calls or lower_graph(job.graph), name)
        for file, text in tree.files.items():
            (folder / file).write_text(text)
    undefine = "".join(f"#undef {macro}\n" for macro in ("ARENA", "ARENA_SRAM", "ARENA_DTCM"))
    unit = "".join(f'#include "{n}_weights.c"\n#include "{n}.c"\n{undefine}' for n in names)
    (folder / "models.c").write_text(unit)
    body = "".join(f'#include "{n}.h"\n' for n in names) + _MAIN_HEAD
    body += "".join(_run_function(n, j) for n, j in zip(names, jobs, strict=True))
    calls = "".join(f"run_{n}(stdin, stdout);\n" for n in names)
    (folder / "main.c").write_text(body + "int main(void)\n{\n" + calls + "return 0;\n}\n")
    cc = shutil.which("gcc") or shutil.which("cc") or "cc"
    built = subprocess.run(
        [cc, *STRICT, *flags, "-o", "all", "models.c", "main.c"], cwd=folder, capture_output=True, text=True
    )
    assert built.returncode == 0, built.stderr[:4000]
    data = b"".join(np.ascontiguousarray(j.data, np.int8).tobytes() for j in jobs)
    environment = {**os.environ, "ASAN_OPTIONS": "detect_leaks=0"}
    done = subprocess.run([str(folder / "all")], input=data, capture_output=True, env=environment)
    assert done.returncode == 0, done.stderr.decode(errors="replace")[:4000]
    return _answers(jobs, done.stdout)


def _answers(jobs: Sequence[Job], raw: bytes) -> list[Answer]:
    answers, at = [], 0
    for job in jobs:
        missing, top = np.frombuffer(raw, np.int32, 2, at)
        assert missing == 0, "the model says that rows are missing"
        at += 8
        outputs = {}
        for name in job.graph.outputs:
            out = job.graph.tensors[name].type
            outputs[name] = np.frombuffer(raw, np.int8, out.nbytes, at).reshape(out.shape)
            at += out.nbytes
        answers.append(Answer(outputs, int(top)))
    return answers
