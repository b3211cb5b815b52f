"""tinyforge: TinyML deployment toolchain for microcontrollers."""

__version__ = "0.1.0"
