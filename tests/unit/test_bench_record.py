"""Benchmark records: files, comparison, pages, and what the command says about a regression."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.runner import tinyforge_command
from tinyforge.errors import UsageError
from tinyforge.reporting.bench_page import BEGIN, rewrite_page, tables
from tinyforge.reporting.bench_record import Entry, Record, compare, load_record, merged, not_compared
from tinyforge.reporting.marked import END
from tinyforge.reporting.peers import FIGURES, SOURCES

ENTRY = Entry(
    model="mlperf_kws_dscnn_int8",
    board="emulated_m7",
    core="cortex-m7",
    toolchain="zig",
    compiler="clang version 22.1.8 (cortex-m7)",
    objective="balanced",
    input="whole",
    macs=2_656_768,
    executed_macs=2_656_768,
    instructions=2_800_000,
    estimated_cycles=2_500_000,
    arena_bytes=12_608,
    stack_bytes=212,
    weights_bytes=33_060,
    code_bytes=10_360,
    mismatches=0,
    reference="golden.npz",
)


def record(*entries: Entry, refused: dict[str, str] | None = None) -> Record:
    return Record("0.1.0", entries, refused or {})


def test_file_holds_everything(tmp_path: Path) -> None:
    whole = record(ENTRY, replace(ENTRY, toolchain="gcc", estimated_cycles=None), refused={"lstm": "no"})
    whole.save(tmp_path / "a.json")
    load_record(tmp_path / "a.json").save(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert load_record(tmp_path / "a.json") == whole


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 2}',
        '{"format": 1, "version": "", "entries": [{}], "refused": {}, "failed": {}}',
        '{"format": NaN}',
    ],
)
def test_other_files_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "record.json"
    path.write_text(text)
    with pytest.raises(UsageError, match=r"record.json: is no record of tinyforge bench"):
        load_record(path)


def test_wrong_types_are_refused(tmp_path: Path) -> None:
    value = record(ENTRY).as_json()
    value["entries"][0]["instructions"] = "many"
    (tmp_path / "record.json").write_text(json.dumps(value))
    with pytest.raises(UsageError, match="instructions is 'many'"):
        load_record(tmp_path / "record.json")


@pytest.mark.parametrize(
    "change, found",
    [
        ({"instructions": 2_828_000}, []),  # one percent is allowed
        ({"instructions": 2_828_001}, ["instructions 2,800,000 -> 2,828,001 (+1.0%)"]),
        ({"instructions": 1, "arena_bytes": 13_000}, ["arena_bytes 12,608 -> 13,000 (+3.1%)"]),
        ({"estimated_cycles": None}, []),
        ({"code_bytes": 20_720, "stack_bytes": 424}, ["stack_bytes 212 -> 424", "code_bytes 10,360 -> 20,720"]),
    ],
)
def test_regressions(change: dict[str, int | None], found: list[str]) -> None:
    worse = [str(item) for item in compare(record(ENTRY), record(replace(ENTRY, **change)))]  # type: ignore[arg-type]
    assert len(worse) == len(found)
    assert all(
        text.startswith(f"mlperf_kws_dscnn_int8 emulated_m7 zig balanced whole: {part}")
        for text, part in zip(worse, found, strict=True)
    )


def test_failures_fail_the_command(tmp_path: Path) -> None:
    broken = replace(record(ENTRY), failed={"kws on emulated_m7: by gcc": "does not compile\nlong story"})
    broken.save(tmp_path / "new.json")
    assert "- kws on emulated_m7: by gcc: failed: does not compile\n" in tables(broken) + "\n"
    done = tinyforge_command("bench", "--from", tmp_path / "new.json", "--json")
    assert done.code == 1
    assert "failed: kws on emulated_m7: by gcc: does not compile" in done.err


def test_only_the_same_thing_is_compared() -> None:
    other = replace(ENTRY, toolchain="gcc", instructions=9_000_000)
    assert compare(record(ENTRY), record(other)) == ()
    assert not_compared(record(ENTRY), record(other)) == ("mlperf_kws_dscnn_int8 emulated_m7 zig balanced whole",)


def test_records_are_merged() -> None:
    gcc, better = replace(ENTRY, toolchain="gcc"), replace(ENTRY, instructions=1)
    both = merged([record(ENTRY, gcc, refused={"b": "old"}), record(better, refused={"a": "", "b": "new"})])
    assert both.entries == (gcc, better)
    assert both.refused == {"a": "", "b": "new"}


def test_page_keeps_what_is_around_the_tables(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"# Mine\n{BEGIN}\nold\n{END}\nafter\n")
    rewrite_page(page, record(ENTRY))
    text = page.read_text()
    assert text.startswith(f"# Mine\n{BEGIN}\n### emulated_m7 (cortex-m7), balanced, whole input\n")
    assert text.endswith(f"{END}\nafter\n")
    assert "old" not in text
    row = next(line for line in text.splitlines() if line.startswith("| mlperf_kws"))
    assert "| **2.800 M** | 1.05 | 2.500 M | 12,608 | 33,060 | 10,360 | 212 | 7.618 M | 22,820 |" in row


def test_page_without_markers_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# Mine\n")
    with pytest.raises(UsageError, match="put the two lines where the tables belong"):
        rewrite_page(tmp_path / "page.md", record(ENTRY))


def test_every_row_of_a_table_has_every_column() -> None:
    m4 = replace(ENTRY, board="emulated_m4", core="cortex-m4", executed_macs=0)
    text = tables(record(ENTRY, replace(ENTRY, toolchain="gcc"), replace(ENTRY, model="mine"), m4))
    blocks = [[line.count("|") for line in block.splitlines() if line.startswith("|")] for block in text.split("###")]
    assert [set(counts) for counts in blocks[1:]] == [{13}, {14}]


def test_peers_have_a_source_and_a_figure() -> None:
    for figure in FIGURES:
        assert figure.tool in SOURCES
        assert (figure.instructions or figure.cycles or 0) > 0


def test_command_fails_on_a_regression(tmp_path: Path) -> None:
    record(ENTRY).save(tmp_path / "old.json")
    record(replace(ENTRY, instructions=3_000_000)).save(tmp_path / "new.json")
    done = tinyforge_command("bench", "--from", tmp_path / "new.json", "--compare", tmp_path / "old.json", "--json")
    assert done.code == 1
    assert (
        "worse: mlperf_kws_dscnn_int8 emulated_m7 zig balanced whole: instructions 2,800,000 -> 3,000,000" in done.err
    )
    assert len(done.json["regressions"]) == 1
    assert tinyforge_command("bench", "--from", tmp_path / "old.json", "--compare", tmp_path / "old.json").code == 0


def test_command_fails_on_wrong_outputs(tmp_path: Path) -> None:
    record(replace(ENTRY, mismatches=3)).save(tmp_path / "new.json")
    done = tinyforge_command("bench", "--from", tmp_path / "new.json")
    assert done.code == 1
    assert "mismatches 0 -> 3" in done.err


@pytest.mark.parametrize(
    "arguments, words",
    [
        ((), "--models DIR"),
        (("--models", "."), "no .tflite file is there"),
        (("--compare", "nothing.json", "--from", "nothing.json"), "is no record"),
    ],
)
def test_command_says_what_it_needs(arguments: tuple[str, ...], words: str) -> None:
    done = tinyforge_command("bench", *arguments)
    assert done.code == 2
    assert words in done.err
