"""What searching the schedule together with the architecture is worth: four searches with one supernet, at each limit.

    python examples/ablation/ablation.py --data cifar10_train.npz --test cifar10_test.npz --out out/ablation

(a) architecture and schedule, the input fed row by row; (b) the same space, layer by layer; (c) with patches only;
(d) the best MobileNetV2 (kernels 3, largest expansions and depths, one width multiplier) layer by layer. Then ResNet-8
of MLPerf Tiny. A supernet's accuracy of a candidate does not depend on the schedule, so what (a), (b) and (c) have
judged at any limit is open to all of them: each ends with the most accurate candidate of all that keeps its own limits.
All networks chosen are trained together, by PyTorch, with one recipe; ``--teacher`` as for ``tinyforge search``.

What is finished is kept in --out, so the command can be repeated. ``--stage`` does one part: ``search`` the studies (of
``--limits``, so that several processes can share them); ``choose`` leaves what to train in ``networks.json`` and
``starts.npz``; ``train`` needs nothing but those, the training data and PyTorch, so it can run on another machine;
``finish`` makes C of what was trained, and runs it.
Writes table.md: accuracies of the C code on the test split, and the digests of the study files.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from tinyforge.api.progress import Progress
from tinyforge.api.search import FRONT, TRIALS
from tinyforge.api.search_points import POINT, TRAINED, Finals, finalist_recipe, lessons_of
from tinyforge.api.search_run import Means, SearchRun
from tinyforge.api.settings import size_option
from tinyforge.cli.console import progress
from tinyforge.errors import DoesNotFit, UsageError
from tinyforge.search.architecture import all_layers, architecture
from tinyforge.search.dataset import Dataset, Samples, make_dataset
from tinyforge.search.evaluate import Evaluator
from tinyforge.search.feasibility import violations
from tinyforge.search.files import load_arrays, load_json, save_arrays, save_json
from tinyforge.search.judge import Costing
from tinyforge.search.narrow import Narrowed
from tinyforge.search.settings import SETTINGS, SearchSettings
from tinyforge.search.sources import load_data
from tinyforge.search.space import Candidate, SearchSpace, extreme, make_candidate
from tinyforge.search.space_file import load_space, parse_space, space_text
from tinyforge.search.storage import study_place
from tinyforge.search.supernet import Supernet, candidate_weights, initial_weights
from tinyforge.search.trial import Trial

SEARCHES = {"a": ("auto", "rows"), "b": ("layerwise", "whole"), "c": ("patch", "whole")}
TITLES = ("limit", "(a) both", "(b) layer by layer", "(c) patches", "(d) MobileNetV2")
RESNET = "resnet8"
MULTIPLIERS = 17
HERE = Path(__file__).parent
CHOSEN, STARTS, NETWORKS, TRAINING = "chosen.json", "starts.npz", "networks.json", "training.npz"


@dataclass(frozen=True)
class Chosen:
    """What a search ended with; None where nothing fits."""

    trial: Trial | None
    space: SearchSpace

    def as_json(self) -> dict[str, Any]:
        trial = None if self.trial is None else self.trial.as_json()
        return {"trial": trial, "space": space_text(self.space)}


class Ablation:
    """All searches in one folder; ``settings`` are those of the largest limit."""

    def __init__(self, out: Path, settings: SearchSettings, means: Means, report: Progress) -> None:
        self.out, self.settings, self.means, self.report = out, settings, means, report
        self.base = SearchRun(out / "supernet", settings, means, report)

    @cached_property
    def prepared(self) -> tuple[Dataset, Narrowed]:
        self.base.folder.mkdir(parents=True, exist_ok=True)
        save_json(self.base.folder / SETTINGS, self.settings.as_json())
        return self.base.prepare(keep=True)

    @cached_property
    def net(self) -> Supernet:
        return self.base.train(*self.prepared, study_place(self.base.folder, None))

    def folder(self, name: str) -> Path:
        folder = self.out / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def run(self, name: str, limit: int) -> SearchRun:
        """The search ``name`` at one limit."""
        schedule, source = SEARCHES.get(name, ("layerwise", "whole"))
        settings = replace(self.settings, sram=limit, schedule=schedule, input=source)
        folder = self.folder(f"{name}-{limit}")
        save_json(folder / SETTINGS, settings.as_json())
        return SearchRun(folder, settings, self.means, self.report)

    def search(self, name: str, limit: int) -> None:
        """Judge candidates by one of the searches, or all of (d); they are kept in the folder."""
        run = self.run(name, limit)
        if not (run.folder / TRIALS).is_file():
            trials = self._fixed(run) if name == "d" else self._study(run)
            save_json(run.folder / TRIALS, {"trials": [trial.as_json() for trial in trials]})

    def search_all(self, limits: list[int]) -> None:
        for limit in limits:
            for name in "abcd":
                self.search(name, limit)

    def choose_all(self, limits: list[int], names: list[str]) -> None:
        """The networks of all ``names``, and the files to train them by."""
        for limit in limits:
            for name in "abcd":
                self.choose(name, limit, limits)
        if RESNET in names:
            self.yardstick()
        self.list_networks(names)

    def _study(self, run: SearchRun) -> list[Trial]:
        data, narrowed = self.prepared
        try:
            study, _ = run.study(data, narrowed, self.net, study_place(run.folder, None))
        except DoesNotFit as error:
            self.report(f"{run.folder.name}: {error}")
            return []
        return study.trials()

    def _fixed(self, run: SearchRun) -> list[Trial]:
        """Every MobileNetV2 that fits, judged by the same supernet."""
        data, narrowed = self.prepared
        judged = Costing(narrowed.space, data, run.limits).judge(self._judge(self.net).accuracy)
        trials = []
        for number, candidate in enumerate(fixed_networks(narrowed.space)):
            found = judged(candidate)
            trials.append(Trial(number, candidate, found.cost, found.accuracy, violations(found.cost, run.limits)))
        return trials

    def accuracies(self, names: list[str]) -> dict[Candidate, float]:
        """Everything that was judged in the folders ``names``, the most accurate first."""
        facts = [trial for name in names for trial in load_json(self.out / name / TRIALS)["trials"]]
        found = {Candidate(tuple(f["values"])): float(f["accuracy"]) for f in facts if f["accuracy"] is not None}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0].values)))

    def choose(self, name: str, limit: int, limits: list[int]) -> None:
        """The most accurate network within the limits: of all that (a), (b) and (c) have judged, or of (d)'s own."""
        run, (data, narrowed) = self.run(name, limit), self.prepared
        pool = [f"{name}-{limit}"] if name == "d" else [f"{n}-{at}" for n in SEARCHES for at in limits]
        costing = Costing(narrowed.space, data, run.limits)
        best = None
        for number, (candidate, accuracy) in enumerate(self.accuracies(pool).items()):
            self.report(f"choosing {name} at {limit}")
            cost = costing.first(candidate)
            if not violations(cost, run.limits):
                cost = costing.judge(lambda _: 0.0)(candidate).cost
                if not violations(cost, run.limits):
                    best = Trial(number, candidate, cost, accuracy, {})
                    break
        save_json(run.folder / CHOSEN, Chosen(best, narrowed.space).as_json())

    def _judge(self, net: Supernet) -> Evaluator:
        budget = self.settings.plan
        return Evaluator(net, self.prepared[0], self.settings.seed, budget.calibration, budget.held)

    def yardstick(self) -> None:
        """ResNet-8 as published, without limits."""
        folder, data = self.folder(RESNET), self.prepared[0]
        settings = replace(self.settings, sram=None, macs=None, input="whole")
        save_json(folder / SETTINGS, settings.as_json())
        space = load_space(RESNET).for_data(data.shape)
        limits = SearchRun(folder, settings, self.means, self.report).limits
        found = Costing(space, data, limits).judge(lambda _: 0.0)(extreme(space, -1))
        save_json(folder / CHOSEN, Chosen(Trial(0, extreme(space, -1), found.cost, None, {}), space).as_json())

    def chosen(self, name: str) -> Chosen:
        """What ``search`` or ``yardstick`` kept."""
        facts = load_json(self.out / name / CHOSEN)
        trial = facts["trial"]
        return Chosen(None if trial is None else Trial.from_json(trial), parse_space(facts["space"], CHOSEN))

    def list_networks(self, names: list[str]) -> None:
        """Files that say what is trained on what, from which weights; a network chosen twice is trained once."""
        data = self.prepared[0]
        arrays: dict[str, Any] = {}
        networks: dict[str, Any] = {}
        for name in names:
            found = self.chosen(name)
            if found.trial is None:
                continue
            facts = {"space": space_text(found.space), "candidate": list(found.trial.candidate.values)}
            twin = next((other for other, known in networks.items() if known == facts), None)
            if twin is not None:
                networks[name] = {"same": twin}
                continue
            if name == RESNET:
                whole = initial_weights(all_layers(found.space, data.shape, len(data.classes)), self.settings.seed)
            else:
                whole = {n: v.numpy() for n, v in self.net.variables.items()}
            network = architecture(found.space, found.trial.candidate, data.shape, len(data.classes))
            arrays |= {f"{name}:{n}": value for n, value in candidate_weights(network, whole).items()}
            networks[name] = facts
        save_arrays(self.out / STARTS, arrays)
        listed = {"seed": self.settings.seed, "samples": digest(data.train), "networks": networks}
        save_json(self.out / NETWORKS, listed)

    def finish(self, name: str) -> dict[str, Any] | None:
        """The trained network as int8 C code, run."""
        found, folder = self.chosen(name), self.out / name
        if found.trial is None:
            return None
        data = self.prepared[0]
        settings = SearchSettings(**{**load_json(folder / SETTINGS), "objectives": ()})
        net = self.net
        if name == RESNET:
            net = Supernet(found.space, data.shape, len(data.classes), settings.seed)
        parts = (settings.plan, data, found.space, self._judge(net), self.report)
        finals = Finals(folder, settings, *parts, threads=self.means.threads)
        point = finals.point_folder(0, found.trial)
        if not (point / POINT).is_file():
            point.mkdir(parents=True, exist_ok=True)
            same = load_json(self.out / NETWORKS)["networks"][name].get("same", name)
            save_arrays(point / TRAINED, load_arrays(self.out / same / TRAINED))
        try:
            made = finals.make([found.trial])
        except DoesNotFit as error:
            self.report(f"{name}: {error}")
            return None
        save_json(folder / FRONT, {"points": [point.as_json() for point in made]})
        return made[0].facts


def train(out: Path, settings: SearchSettings, threads: int | None, report: Progress) -> None:
    """Train all listed networks at once. Needs neither TensorFlow nor the studies nor the test split.

    Raises UsageError where the training samples are not those of the studies.
    """
    from tinyforge.search.torch_trainer import Start, larger, train_together

    listed, arrays = load_json(out / NETWORKS), load_arrays(out / STARTS)
    raw = load_data(settings.data, settings.test)
    # Where the test split is a file of its own, that file need not be here.
    splits = (
        make_dataset(replace(raw, test=test), listed["seed"]) for test in (raw.train.take(np.arange(0)), raw.test)
    )
    data = next((data for data in splits if digest(data.train) == listed["samples"]), None)
    if data is None:
        raise UsageError(f"{settings.data}: other training samples than those of the studies; give --test as there")
    starts = {}
    for name, facts in listed["networks"].items():
        if "same" in facts:
            continue
        space = parse_space(facts["space"], NETWORKS)
        network = architecture(space, make_candidate(space, facts["candidate"]), data.shape, len(data.classes))
        weights = {n.split(":", 1)[1]: value for n, value in arrays.items() if n.startswith(f"{name}:")}
        starts[out / name / TRAINED] = Start(network, weights)
    recipe = larger(finalist_recipe(settings, data), len(data.train))
    lessons = lessons_of(settings, data, out)
    train_together(starts, data, recipe, listed["seed"], out / TRAINING, report, threads, lessons)


def digest(samples: Samples) -> str:
    """SHA-256 of samples and labels."""
    return hashlib.sha256(samples.x.tobytes() + samples.y.tobytes()).hexdigest()


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


def table(limits: list[int], found: dict[str, dict[str, Any] | None]) -> str:
    """Markdown: a row a limit."""
    rows = [[f"{limit:,} B", *(_cell(found[f"{name}-{limit}"]) for name in "abcd")] for limit in limits]
    lines = [" | ".join(row) for row in (TITLES, ["---"] * len(TITLES), *rows)]
    return "\n".join([*(f"| {line} |" for line in lines), "", f"ResNet-8: {_cell(found.get(RESNET))}", ""])


def _cell(facts: dict[str, Any] | None) -> str:
    if facts is None:
        return "none"
    return f"{facts['test_accuracy']:.2%}, {facts['arena_bytes']:,} B, {facts['executed_macs'] / 1e6:.2f} M MACs"


def digests(out: Path) -> str:
    """SHA-256 of every study file."""
    files = sorted(path for path in out.glob("*/*") if path.name in (TRIALS, FRONT))
    return "\n".join(f"- `{p.relative_to(out)}` {hashlib.sha256(p.read_bytes()).hexdigest()}" for p in files) + "\n"


def options() -> argparse.Namespace:
    assert __doc__ is not None
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--test")
    parser.add_argument("--space", default=str(HERE / "space.toml"))
    parser.add_argument("--limits", default="8K,16K,32K")
    parser.add_argument("--macs", type=int, default=12_500_000)
    parser.add_argument("--budget", default="standard")
    for name in ("steps", "evaluations", "fine-steps", "jobs"):
        parser.add_argument(f"--{name}", type=int)
    parser.add_argument("--augment", default="auto")
    parser.add_argument("--decay", type=float)
    parser.add_argument("--teacher")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-resnet", action="store_true")
    parser.add_argument("--stage", choices=("search", "choose", "train", "finish", "all"), default="all")
    parser.add_argument("--out", type=Path, default=Path("out/ablation"))
    return parser.parse_args()


def main() -> None:
    given = options()
    limits = [size_option(text) or 0 for text in given.limits.split(",")]
    settings = SearchSettings(
        data=given.data, test=given.test, sram=max(limits), macs=given.macs, space=given.space, budget=given.budget,
        steps=given.steps, evaluations=given.evaluations, fine_steps=given.fine_steps, finalists=1, seed=given.seed,
        augment=given.augment, decay=given.decay, teacher=given.teacher, input="rows", objectives=(), refit=False,
    )  # fmt: skip
    names = [f"{name}-{limit}" for limit in limits for name in "abcd"] + [RESNET] * (not given.no_resnet)
    with progress(timed=True) as report:
        if given.stage == "train":
            train(given.out, settings, given.jobs, report)
            return
        ablation = Ablation(given.out, settings, Means(threads=given.jobs), report)
        if given.stage in ("search", "all"):
            ablation.search_all(limits)
        if given.stage in ("choose", "all"):
            ablation.choose_all(limits, names)
        if given.stage == "all":
            train(given.out, settings, given.jobs, report)
        if given.stage in ("finish", "all"):
            found = {name: ablation.finish(name) for name in names}
            text = table(limits, found) + "\n" + digests(given.out)
            (given.out / "table.md").write_text(text, encoding="utf-8")
            print(text)


if __name__ == "__main__":
    main()
