"""``python -m tinyforge``."""

from __future__ import annotations

from tinyforge.cli.main import run

if __name__ == "__main__":
    run()
