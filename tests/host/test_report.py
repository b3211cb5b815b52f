"""The report of a build: complete, self-contained, and sound in a browser at phone width and in the dark."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import tinyforge
from tests.shared import DIGITS

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PROBE = """<script>addEventListener("load", () => {
  const page = document.documentElement;
  const dark = getComputedStyle(document.body).backgroundColor;
  document.title = `width ${page.scrollWidth} of ${page.clientWidth}, background ${dark}`;
})</script></body>"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    built = tinyforge.compile(DIGITS, board="emulated_m4", sram="12K", out=folder / "digits")
    return tinyforge.report(built.out, out=folder / "report.html").path


def test_page_is_complete_and_self_contained(report: Path) -> None:
    text = report.read_text(encoding="utf-8")
    assert not re.search(r'(src|href)="(?!data:,)', text)
    assert "<script" not in text
    assert "@import" not in text
    assert text.count('<rect class="buffer') >= 18
    assert len(re.findall(r"<tr><td>\d+</td>", text)) == 18
    for words in (
        "Memory over time",
        "Estimated cycles over SRAM",
        "bands of",
        "layer by layer",
        "instructions",
        "estimated cycles",
        "weights and tables",
    ):
        assert words in text


def browse(page: Path, *options: str) -> subprocess.CompletedProcess[str]:
    assert BROWSER is not None
    command = [BROWSER, "--headless=new", "--no-sandbox", "--disable-gpu", "--enable-logging=stderr", *options]
    return subprocess.run([*command, page.as_uri()], capture_output=True, text=True, timeout=120, check=True)


@pytest.mark.slow
@pytest.mark.browser
@pytest.mark.skipif(BROWSER is None, reason="no Chromium found")
@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [500, 1100])
def test_page_in_a_browser(report: Path, width: int, dark: bool, tmp_path: Path) -> None:
    probed = tmp_path / "probed.html"
    probed.write_text(report.read_text(encoding="utf-8").replace("</body>", PROBE), encoding="utf-8")
    scheme = ["--blink-settings=preferredColorScheme=0"] if dark else []
    done = browse(probed, f"--window-size={width},1400", "--virtual-time-budget=2000", "--dump-dom", *scheme)
    assert "CONSOLE" not in done.stderr
    found = re.search(r"<title>width (\d+) of (\d+), background rgb\((\d+)", done.stdout)
    assert found is not None, done.stdout[:500]
    content, window, red = map(int, found.groups())
    assert content <= window
    assert (red < 64) == dark
