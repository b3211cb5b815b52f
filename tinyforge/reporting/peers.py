"""Figures of other tools on the benchmark models, as data with their source. Nothing here was measured by `bench`."""

from __future__ import annotations

from dataclasses import dataclass

CMSIS, TINYENGINE = "TFLM + CMSIS-NN", "TinyEngine"
TINYENGINE_PATCHES = "TinyEngine, patches"
ST, PLUMERAI = "ST v1.2", "Plumerai v1.1"

SOURCES = {
    CMSIS: "TensorFlow Lite Micro with the CMSIS-NN kernels, arm-none-eabi-gcc 12.2.1 at its best optimisation level, "
    "executed instructions of one warm inference under QEMU 7.2 (-icount shift=0; mps2-an386, mps2-an500, mps3-an547)",
    TINYENGINE: "TinyEngine's generated code, measured the same way; its float requantisation truncates, so its "
    "outputs are not those of TensorFlow Lite, and mcunetv2_large computes wrong results",
    TINYENGINE_PATCHES: "TinyEngine's code for MCUNetV2's patches, set by hand: its buffers and the image; "
    "mcunetv2_large computes wrong results",
    ST: "MLPerf Tiny closed division, round 1.2, NUCLEO-L4R5ZI (Cortex-M4 at 120 MHz): published milliseconds as "
    "cycles",
    PLUMERAI: "MLPerf Tiny closed division, round 1.1, NUCLEO-L4R5ZI (Cortex-M4 at 120 MHz): published milliseconds as "
    "cycles",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """One tool on one model and core. ``instructions`` and ``cycles`` of one inference, ``sram_bytes`` of activations,
    input and output (TFLM: with the interpreter's structures); None where not known."""

    tool: str
    model: str
    core: str
    instructions: int | None = None
    cycles: int | None = None
    sram_bytes: int | None = None


# model: (Cortex-M7 instructions, Cortex-M4 instructions, Cortex-M55 instructions, arena bytes)
_CMSIS: dict[str, tuple[int, int | None, int | None, int | None]] = {
    "mlperf_kws_dscnn_int8": (7_617_920, 7_672_360, 1_785_188, 22_820),
    "mlperf_vww96_mobilenetv1_int8": (23_960_920, 24_040_800, 6_433_125, 100_708),
    "mlperf_ic_resnet8_int8": (29_623_160, 29_555_720, 4_810_312, 54_996),
    "mlperf_ad_toycar_int8": (582_560, 582_240, 149_906, 2_580),
    "tflm_person_detect_int8": (22_715_480, 22_928_040, 6_382_875, 82_308),
    "tinyengine_mcunet_vww_int8": (47_359_840, 47_847_720, 11_559_875, 219_684),
    "tinyengine_mcunetv2_large_int8": (831_326_440, 856_225_640, 313_786_500, 2_601_988),
    "tinyengine_person_detection_int8": (72_434_160, 73_063_480, 19_657_063, 379_740),
    "mlperf_sww_streaming_int8": (2_185_720, 2_225_760, 410_469, 16_484),
    "tflm_mnist_lstm_int8": (562_240, 565_480, 255_000, 3_956),
}
_TINYENGINE_M7 = {
    "mlperf_ad_toycar_int8": (771_920, 3_328),
    "tinyengine_mcunet_vww_int8": (34_525_920, 93_992),
    "tinyengine_mcunetv2_large_int8": (509_441_840, 1_431_784),
    "tinyengine_person_detection_int8": (54_636_200, 257_448),
}
_TINYENGINE_PATCHES = {
    "tinyengine_mcunet_vww_int8": 62_352 + 19_200,
    "tinyengine_mcunetv2_large_int8": 444_168 + 150_528,
}
# model: (ST, Plumerai), Cortex-M4 cycles
_SILICON = {
    "mlperf_kws_dscnn_int8": (5_180_000, 5_740_000),
    "mlperf_vww96_mobilenetv1_int8": (10_700_000, 11_900_000),
    "mlperf_ic_resnet8_int8": (19_800_000, 20_100_000),
    "mlperf_ad_toycar_int8": (630_000, 490_000),
}


def _cmsis(model: str) -> list[Figure]:
    m7, m4, m55, arena = _CMSIS[model]
    counts = (("cortex-m7", m7), ("cortex-m4", m4), ("cortex-m55", m55))
    return [Figure(CMSIS, model, core, instructions=count, sram_bytes=arena) for core, count in counts if count]


FIGURES: tuple[Figure, ...] = (
    *(figure for model in _CMSIS for figure in _cmsis(model)),
    *(Figure(TINYENGINE, model, "cortex-m7", count, None, sram) for model, (count, sram) in _TINYENGINE_M7.items()),
    *(
        Figure(tool, model, "cortex-m4", cycles=cycles)
        for model, pair in _SILICON.items()
        for tool, cycles in zip((ST, PLUMERAI), pair, strict=True)
    ),
)


def figures(model: str, core: str) -> tuple[Figure, ...]:
    """What is known of other tools on this model (stem of its file name) and core."""
    return tuple(figure for figure in FIGURES if (figure.model, figure.core) == (model, core))


def memory_figures(model: str) -> tuple[tuple[str, int, str], ...]:
    """(tool, bytes of SRAM, source) of all that is known of other tools on this model, each by its own definition."""
    known = {f.tool: f.sram_bytes for f in FIGURES if f.model == model and f.sram_bytes is not None}
    if model in _TINYENGINE_PATCHES:
        known[TINYENGINE_PATCHES] = _TINYENGINE_PATCHES[model]
    return tuple((tool, nbytes, SOURCES[tool]) for tool, nbytes in known.items())
