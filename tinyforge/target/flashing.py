"""What flashing tools must be told about a board: the `[flashing]` table of board files."""

from __future__ import annotations

from dataclasses import dataclass

from tinyforge.target.fields import Fields

# Every flashing method, and the key of [flashing] it cannot work without (empty: it needs none).
METHODS = {
    "emulated": "",
    "gdb": "",
    "pyocd": "pyocd_target",
    "openocd": "openocd_config",
    "jlink": "jlink_device",
    "esptool": "esptool_chip",
    "stm32loader": "stm32loader_family",
    "uf2": "uf2_family",
    "stlink-msd": "volume",
    "picotool": "uf2_family",
    "dfu-util": "dfu_id",
    "bossac": "",
}


@dataclass(frozen=True, slots=True)
class FlashTools:
    """Names under which tools know the board; empty or 0 where a tool does not.

    pyocd_target: `pyocd list --targets`; pyocd_pack: whether that target comes from a CMSIS pack rather than with
    pyOCD. openocd_config: script OpenOCD is started with. jlink_device: SEGGER's device name. esptool_chip: `--chip`.
    stm32loader_family: `--family`; stm32_id: the chip's ID as its boot loader tells it (AN2606). uf2_family: family ID
    of UF2 blocks. volume: label of the drive that appears. dfu_id: USB `vendor:product` of the boot loader.
    """

    pyocd_target: str = ""
    pyocd_pack: bool = False
    openocd_config: str = ""
    jlink_device: str = ""
    esptool_chip: str = ""
    stm32loader_family: str = ""
    stm32_id: int = 0
    uf2_family: int = 0
    volume: str = ""
    dfu_id: str = ""


def read_flash_tools(fields: Fields | None) -> FlashTools:
    """The `[flashing]` table; all keys are optional."""
    if fields is None:
        return FlashTools()
    tools = FlashTools(
        pyocd_target=fields.text("pyocd_target", ""),
        pyocd_pack=fields.boolean("pyocd_pack", False),
        openocd_config=fields.text("openocd_config", ""),
        jlink_device=fields.text("jlink_device", ""),
        esptool_chip=fields.text("esptool_chip", ""),
        stm32loader_family=fields.text("stm32loader_family", ""),
        stm32_id=fields.integer("stm32_id", 0, high=0xFFF),
        uf2_family=fields.integer("uf2_family", 0, high=0xFFFFFFFF),
        volume=fields.text("volume", ""),
        dfu_id=fields.text("dfu_id", ""),
    )
    fields.finish()
    return tools


def check_flashers(names: tuple[str, ...], tools: FlashTools, fields: Fields) -> None:
    """Every method of `flashers` exists, and has what it needs in [flashing]."""
    for name in names:
        if name not in METHODS:
            fields.fail("flashers", f"{name!r} is not one of: {', '.join(METHODS)}")
        key = METHODS[name]
        if key and not getattr(tools, key):
            fields.fail("flashers", f"{name!r} needs {key} in the [flashing] table")
