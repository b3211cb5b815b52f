"""What searching the schedule together with the architecture is worth: four searches with one supernet, at each limit.

    python examples/ablation/ablation.py --data cifar10_train.npz --test cifar10_test.npz --out out/ablation

(a) architecture and schedule, the input fed row by row; (b) the same space, layer by layer; (c) with patches only;
(d) the best MobileNetV2 (kernels 3, largest expansions and depths, one width multiplier) layer by layer. Then ResNet-8
of MLPerf Tiny, trained as the finalists are. What is finished is kept in --out, so the command can be repeated.
Writes table.md: accuracies of the C code on the test split, and the digests of the study files.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.api.progress import Progress
from tinyforge.api.search import FRONT, TRIALS, resume
from tinyforge.api.search_points import Finals
from tinyforge.api.search_run import SPACE, Means, SearchRun
from tinyforge.api.settings import size_option
from tinyforge.cli.console import progress
from tinyforge.errors import DoesNotFit
from tinyforge.search.evaluate import Evaluator
from tinyforge.search.feasibility import violations
from tinyforge.search.files import save_json
from tinyforge.search.judge import Costing
from tinyforge.search.settings import SETTINGS, SearchSettings
from tinyforge.search.space import Candidate, SearchSpace, extreme, make_candidate
from tinyforge.search.space_file import load_space
from tinyforge.search.storage import study_place
from tinyforge.search.supernet import Supernet
from tinyforge.search.train import CHECKPOINT
from tinyforge.search.trial import Trial

SEARCHES = {"a": ("auto", "rows"), "b": ("layerwise", "whole"), "c": ("patch", "whole")}
MULTIPLIERS = 17


class Ablation:
    """All searches in one folder; ``settings`` are those of the largest limit."""

    def __init__(self, out: Path, settings: SearchSettings, means: Means, report: Progress) -> None:
        self.out, self.settings, self.means, self.report = out, settings, means, report
        self.base = SearchRun(out / "supernet", settings, means, report)
        self.base.folder.mkdir(parents=True, exist_ok=True)
        save_json(self.base.folder / SETTINGS, settings.as_json())
        self.data, self.narrowed = self.base.prepare(keep=True)
        self.net = self.base.train(self.data, self.narrowed, study_place(self.base.folder, None))

    def judge(self, net: Supernet) -> Evaluator:
        budget = self.settings.plan
        return Evaluator(net, self.data, self.settings.seed, budget.calibration, budget.held)

    def search(self, name: str, limit: int) -> dict[str, Any] | None:
        """The best point of one search; None where nothing fits."""
        schedule, source = SEARCHES[name]
        folder = self._folder(f"{name}-{limit}", replace(self.settings, sram=limit, schedule=schedule, input=source))
        for file in (SPACE, CHECKPOINT):
            if not (folder / file).is_file():
                shutil.copyfile(self.base.folder / file, folder / file)
        try:
            found = resume(folder, means=self.means, progress=self.report)
        except DoesNotFit as error:
            self.report(f"{name} at {limit}: {error}")
            return None
        assert found is not None
        return found.points[0].facts

    def fixed(self, limit: int) -> dict[str, Any] | None:
        """The best MobileNetV2 that fits layer by layer, judged by the same supernet."""
        settings = replace(self.settings, sram=limit, schedule="layerwise", input="whole")
        folder = self._folder(f"d-{limit}", settings)
        run = SearchRun(folder, settings, self.means, self.report)
        costing, judge = Costing(self.narrowed.space, self.data, run.limits), self.judge(self.net)
        judged = costing.judge(judge.accuracy)
        trials = []
        for number, candidate in enumerate(fixed_networks(self.narrowed.space)):
            found = judged(candidate)
            trials.append(Trial(number, candidate, found.cost, found.accuracy, violations(found.cost, run.limits)))
        save_json(folder / TRIALS, {"trials": [trial.as_json() for trial in trials]})
        fitting = [trial for trial in trials if trial.accuracy is not None]
        best = max(fitting, key=lambda trial: trial.accuracy or 0.0, default=None)
        return self._point(folder, settings, self.narrowed.space, judge, best) if best else None

    def yardstick(self) -> dict[str, Any]:
        """ResNet-8, trained as the finalists are."""
        settings = replace(self.settings, sram=None, macs=None, input="whole")
        folder = self._folder("resnet8", settings)
        space = load_space("resnet8").for_data(self.data.shape)
        candidate = extreme(space, -1)
        run = SearchRun(folder, settings, self.means, self.report)
        judge = self.judge(Supernet(space, self.data.shape, len(self.data.classes), settings.seed))
        cost = Costing(space, self.data, run.limits).judge(lambda _: 0.0)(candidate).cost
        return self._point(folder, settings, space, judge, Trial(0, candidate, cost, None, {}))

    def _folder(self, name: str, settings: SearchSettings) -> Path:
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        save_json(folder / SETTINGS, settings.as_json())
        return folder

    def _point(
        self, folder: Path, settings: SearchSettings, space: SearchSpace, judge: Evaluator, trial: Trial
    ) -> dict[str, Any]:
        made = Finals(folder, settings, settings.plan, self.data, space, judge, self.report).make([trial])
        save_json(folder / FRONT, {"points": [point.as_json() for point in made]})
        return made[0].facts


def fixed_networks(space: SearchSpace) -> Iterator[Candidate]:
    """MobileNetV2 by multiplier and resolution: kernels 3, the largest depths and expansions, no squeeze-and-excite."""
    seen = set()
    for multiplier in np.linspace(0, 1, MULTIPLIERS):
        for side in space.resolutions:
            values = [_fixed_value(gene.name, gene.choices, float(multiplier), side) for gene in space.genes]
            candidate = make_candidate(space, values)
            if candidate not in seen:
                seen.add(candidate)
                yield candidate


def _fixed_value(name: str, choices: tuple[int, ...], multiplier: float, side: int) -> int:
    if name == "resolution":
        return side
    if name.endswith("kernel"):
        return min(choices, key=lambda k: abs(k - 3))
    if name.endswith("squeeze"):
        return choices[0]
    if name.endswith("width"):
        return choices[round(multiplier * (len(choices) - 1))]
    return choices[-1]


def table(limits: list[int], found: dict[tuple[str, int], dict[str, Any] | None], resnet: dict[str, Any] | None) -> str:
    """Markdown: a row a limit."""
    head = ["limit", "(a) both", "(b) layer by layer", "(c) patches", "(d) MobileNetV2"]
    rows = [[f"{limit:,} B", *(_cell(found[name, limit]) for name in "abcd")] for limit in limits]
    lines = [" | ".join(row) for row in (head, ["---"] * len(head), *rows)]
    return "\n".join([*(f"| {line} |" for line in lines), "", f"ResNet-8: {_cell(resnet)}", ""])


def _cell(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return "nothing fits"
    return f"{facts['test_accuracy']:.2%}, {facts['arena_bytes']:,} B, {facts['executed_macs'] / 1e6:.2f} M MACs"


def digests(out: Path) -> str:
    """SHA-256 of every study file."""
    files = sorted(path for path in out.glob("*/*") if path.name in (TRIALS, FRONT))
    return "\n".join(f"- `{p.relative_to(out)}` {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files) + "\n"


def main() -> None:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--test")
    parser.add_argument("--space", default="images")
    parser.add_argument("--limits", default="8K,16K,32K")
    parser.add_argument("--macs", type=int, default=12_500_000)
    parser.add_argument("--budget", default="standard")
    for name in ("steps", "evaluations", "fine-steps", "jobs"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-resnet", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("out/ablation"))
    given = parser.parse_args()
    limits = [size_option(text) or 0 for text in given.limits.split(",")]
    settings = SearchSettings(
        data=given.data, test=given.test, sram=max(limits), macs=given.macs, space=given.space, budget=given.budget,
        steps=given.steps, evaluations=given.evaluations, fine_steps=given.fine_steps, finalists=1, seed=given.seed,
        input="rows", objectives=(),
    )  # fmt: skip
    with progress(timed=True) as report:
        ablation = Ablation(given.out, settings, Means(threads=given.jobs), report)
        found = {(name, limit): ablation.search(name, limit) for limit in limits for name in SEARCHES}
        found |= {("d", limit): ablation.fixed(limit) for limit in limits}
        resnet = None if given.no_resnet else ablation.yardstick()
    text = table(limits, found, resnet) + "\n" + digests(given.out)
    (given.out / "table.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
