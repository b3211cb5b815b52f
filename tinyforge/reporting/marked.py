"""Markdown pages of which one region, between two markers, is written by a command."""

from __future__ import annotations

from pathlib import Path

from tinyforge.errors import UsageError

END = "<!-- end -->"


def rewrite_region(path: Path, begin: str, text: str, title: str) -> None:
    """Put ``text`` between the line ``begin`` and the next END; a page that is not there is made, headed ``title``.

    Raises UsageError for a page without the markers, or with ``begin`` more than once.
    """
    page = path.read_text(encoding="utf-8") if path.is_file() else f"# {title}\n\n{begin}\n{END}\n"
    if page.count(begin) != 1 or END not in page.split(begin)[1]:
        raise UsageError(f"{path}: has no '{begin}' followed by '{END}'; put the two lines where the tables belong")
    head, rest = page.split(begin)
    tail = rest.split(END, 1)[1]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{head}{begin}\n{text}\n{END}{tail}", encoding="utf-8")


def markdown_row(cells: list[str]) -> str:
    """One line of a table."""
    return f"| {' | '.join(cells)} |"
