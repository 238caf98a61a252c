"""The studies: contestants by name, each the setting of a training run, and the order in which their runs come.

All train on the same records once (unless `epochs` says otherwise) and answer the same eval rows; `prepare` writes the
records, `workers` trains, `tables` compares.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any, NamedTuple

RATE = 4e-4
"""Peak learning rate in steps of 16 records, that of the CPU preset."""

LONGEST = 8192
"""Positions that SmolLM2-135M was trained on."""


@dataclass(frozen=True)
class Setting:
    """What differs between the runs of all studies.

    Attributes:
        records: folder of records, a window and a wording.
        step: records of an optimizer step.
        group_size: most records of a history kept together in the shuffle.
        learning_rate: its peak.
        epochs: passes over the records.
        cutoff_len: most tokens of a prompt.
        pass_tokens: of a training pass; the same on every machine, as dropout is drawn pass by pass.
        recompute: activations in the backward pass, where those of a pass would fill the memory that workers share.
        dropout: of LoRA.
    """

    records: str = "15"
    step: int = 16
    group_size: int = 4
    learning_rate: float = RATE
    epochs: int = 1
    cutoff_len: int = 1024
    pass_tokens: int = 4096
    recompute: bool = False
    dropout: float = 0.05


class Run(NamedTuple):
    """A setting with one seed, of weights, order and dropout."""

    setting: Setting
    seed: int

    def as_json(self) -> dict[str, Any]:
        return {"setting": asdict(self.setting), "seed": self.seed}

    @staticmethod
    def of_json(line: Mapping[str, Any]) -> "Run":
        return Run(Setting(**line["setting"]), line["seed"])


class Turn(NamedTuple):
    """All contestants of a study with one seed."""

    study: str
    seed: int

    @staticmethod
    def of(text: str) -> "Turn":
        """Return what `study:seed` means.

        Raises:
            ValueError: there is no such study, or no seed.
        """
        study, _, seed = text.partition(":")
        if study not in STUDIES:
            raise ValueError(study)
        return Turn(study, int(seed))


def _in_steps(step: int, group_size: int, times: float | None = None, **other: Any) -> Setting:
    """Return a setting whose learning rate grows with the root of the step, or as told."""
    rate = RATE * (sqrt(step / 16) if times is None else times)
    return Setting(step=step, group_size=group_size, learning_rate=rate, **other)


def _with_hints(records: str, step: int = 16, group_size: int = 8, times: float | None = None) -> Setting:
    """Return the setting of the demo at twice its rate, with larger steps and groups as told."""
    return _in_steps(step, group_size, times, records=records, pass_tokens=2048, dropout=0)


def _of_window(records: str, **other: Any) -> Setting:
    return _in_steps(64, 16, records=records, cutoff_len=LONGEST, **other)


STUDIES: Mapping[str, Mapping[str, Setting]] = {
    "groups": {
        "16 records, plain shuffle": _in_steps(16, 1),
        "16 records, groups of 4": _in_steps(16, 4),
        "16 records, groups of 8": _in_steps(16, 8),
        "16 records, groups of 15": _in_steps(16, 15),
        "32 records, groups of 8, rate x1.41": _in_steps(32, 8),
        "32 records, groups of 15, rate x1.41": _in_steps(32, 15),
        "64 records, groups of 15, rate x2": _in_steps(64, 15),
        "64 records, groups of 15, rate x4": _in_steps(64, 15, times=4),
    },
    "rates": {
        "rate 4e-4": Setting(),
        "rate 2e-4": Setting(learning_rate=2e-4),
        "rate 1.5e-4": Setting(learning_rate=1.5e-4),
    },
    "wordings": {
        "candidate named": Setting(),
        "candidate as a marked line": Setting("15-marked"),
        "candidate as a bare line": Setting("15-bare"),
        "shorter lines": Setting("15-short"),
        "shorter lines, candidate as a marked line": Setting("15-short-marked"),
        "shorter lines, candidate as a bare line": Setting("15-short-bare"),
    },
    "hinted-wordings": {
        "candidate named": _with_hints("8-hints"),
        "candidate as a marked line": _with_hints("8-hints-marked"),
        "candidate as a marked line, shorter hint": _with_hints("8-short-hints"),
        "shorter lines, candidate as a marked line": _with_hints("8-hints-short-marked"),
    },
    "hinted-groups": {
        "8 to 15 movies, 16 records, groups of 8": _with_hints("8-hints-marked"),
        "15 to 29 movies, 32 records, groups of 15, rate x1.41": _with_hints("15-hints-marked", 32, 15),
    },
    "short-hinted-groups": {
        "8 to 15 movies, 16 records, groups of 8": _with_hints("8-short-hints"),
        "15 to 29 movies, 32 records, groups of 15, same rate": _with_hints("15-short-hints", 32, 15, times=1),
    },
    "histories": {
        "15 movies": _of_window("15"),
        "60 movies": _of_window("60"),
        "all movies": _of_window("all", pass_tokens=LONGEST, recompute=True),
        "15 movies, two epochs": _of_window("15", epochs=2),
    },
}
"""Contestants of each study; the others are compared with the first."""

ORDER = (
    *(Turn("groups", 0), Turn("groups", 1), Turn("rates", 0), Turn("groups", 2)),
    *(
        Turn(study, seed)
        for seed in range(3)
        for study in ("wordings", "hinted-wordings", "hinted-groups", "short-hinted-groups", "histories")
    ),
)
"""Most important first; every turn leaves complete comparisons behind."""


def runs_in(order: Iterable[Turn], studies: Iterable[str]) -> list[Run]:
    """Return every run once, where its first study has it."""
    wanted = set(studies)
    turns = (turn for turn in order if turn.study in wanted)
    return list(dict.fromkeys(Run(setting, turn.seed) for turn in turns for setting in STUDIES[turn.study].values()))


def all_settings() -> list[Setting]:
    """Return every setting once."""
    return list(dict.fromkeys(setting for study in STUDIES for setting in STUDIES[study].values()))
