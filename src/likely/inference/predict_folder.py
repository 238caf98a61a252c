"""P(Yes) of a folder of Parquet files: for each a scored one of the same name in another folder.

`cli.predict` comes here where the records are a folder. The files are scored one after the other in this process, or
spread over workers (`on_ray`), who do the same with each of them (:class:`PartScorer`). A file is finished when its
scored one says in its metadata that it was made from that file, by this adapter and with these settings.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from likely.config.run_config import RunConfig
from likely.data.row_files import count_parquet_rows
from likely.errors import LikelyError
from likely.files import make_writable_folder, writing
from likely.inference.loaded_run import LoadedRun, config_of
from likely.inference.precision_here import settled
from likely.inference.predict import Mixing, Prediction, made_with, predict
from likely.inference.scored_file import rows_written
from likely.inference.trained_on import check_adapter
from likely.model.fingerprint import adapter_of
from likely.model.scoring import Progress


@dataclass(frozen=True)
class FolderJob:
    """Whose answers are wanted, to which records, and where they go.

    Attributes:
        run: folder of a finished run.
        adapter: what stands for its adapter (`model.fingerprint`), which answers all files.
        data: folder of the Parquet files.
        output: folder of the scored ones.
        config: of the run, or other knobs; its precision is settled before any file is scored (`precision_here`).
        with_base: whether the base model is asked too.
        mixing: gives the run's answer; None without.
    """

    run: Path
    adapter: str
    data: Path
    output: Path
    config: RunConfig
    with_base: bool = False
    mixing: Mixing | None = None


Spread = Callable[[FolderJob, Sequence[str]], Iterable[tuple[str, Prediction]]]
"""Scores files of a job, given by their names, and says of each what was done, in any order."""


@dataclass
class PartScorer:
    """Scores one file of a job after another with one model, which is loaded when the first of them needs it."""

    job: FolderJob
    _run: LoadedRun | None = None

    def score(self, name: str, on_progress: Progress | None = None) -> Prediction:
        """Score a file, unless it is finished, and go on where an earlier command was killed within it.

        Args:
            name: of the file.
            on_progress: as of :func:`likely.inference.predict.predict`.

        Raises:
            LikelyError: as there.
        """
        job, data, output = self.job, self.job.data / name, self.job.output / name
        origin = made_with(job.run, job.config, data, job.with_base, job.mixing)
        check_adapter(job.run, job.adapter, str(origin["adapter"]))
        rows = rows_written(output, origin)
        if rows is not None:
            return Prediction(rows, kept=rows, shortened=0)
        return predict(job.run, data, output, job.config, job.with_base, True, on_progress, self._load, job.mixing)

    def _load(self, folder: Path, config: RunConfig) -> LoadedRun:
        if self._run is None or self._run.config != config:
            self._run = LoadedRun.load(folder, config)
        return self._run


def predict_folder(
    folder: Path | str,
    data: Path,
    output: Path,
    config: RunConfig | None = None,
    with_base: bool = False,
    on_progress: Progress | None = None,
    spread: Spread | None = None,
    mixing: Mixing | None = None,
) -> dict[str, Prediction]:
    """Score the records of every Parquet file in a folder, but for those that an earlier command finished.

    Rows keep their order and their file, so records that stand together in a file are computed together. Files without
    rows are left out.

    Args:
        folder: of a finished run.
        data: folder of the files; answers that their records have count for nothing.
        output: folder of the scored files, made if it is missing; files in it that are not finished are replaced.
        config: other knobs than those of the run.
        with_base: whether the base model is asked too.
        on_progress: told how many answers there are, and of how many.
        spread: scores the files elsewhere; by default they are scored here, one after the other.
        mixing: as of :func:`likely.inference.predict.predict`.

    Returns:
        What was done with each file, by its name; :func:`others_in` names files in `output` that are of none.

    Raises:
        LikelyError: a folder or the run cannot be used, or a file is not as it has to be; those before it are finished.
    """
    folder = Path(folder)
    rows = rows_of_parts(data)
    config = config or config_of(folder)
    # Workers elsewhere may not be like this process.
    config = config if spread else settled(folder, config)
    job = FolderJob(folder, adapter_of(folder), data, output, config, with_base, mixing)
    with writing(output):
        make_writable_folder(output)
    models = 1 + with_base
    predictions: dict[str, Prediction] = {}

    def tell(answers: int, _: int = 0) -> None:
        if on_progress:
            before = sum(rows[name] for name in predictions) * models
            on_progress(before + answers, sum(rows.values()) * models)

    for name, prediction in spread(job, list(rows)) if spread else _one_after_the_other(job, rows, tell):
        assert name not in predictions
        predictions[name] = prediction
        tell(0)
    assert predictions.keys() == rows.keys()
    return predictions


def rows_of_parts(data: Path) -> dict[str, int]:
    """Return the names of the Parquet files in a folder that have rows, and how many.

    Names that begin with a dot or an underscore are notes that other programs leave beside their files.

    Raises:
        LikelyError: there are none, or one cannot be read.
    """
    if not data.is_dir():
        raise LikelyError(f"{data} is not a folder; name one that holds Parquet files.")
    files = [path for path in data.iterdir() if path.suffix.lower() == ".parquet" and path.name[0] not in "._"]
    rows = {path.name: count_parquet_rows(path) for path in sorted(files)}
    if not any(rows.values()):
        raise LikelyError(f"{data} has no .parquet files with records in it; write them there, or name a single file.")
    return {name: count for name, count in rows.items() if count}


def others_in(output: Path, names: Iterable[str]) -> list[str]:
    """Return the names of Parquet files in a folder that are none of these, such as those of an earlier command."""
    return sorted({path.name for path in output.glob("*.parquet") if path.name[0] not in "._"} - set(names))


def _one_after_the_other(
    job: FolderJob, names: Iterable[str], on_progress: Progress
) -> Iterator[tuple[str, Prediction]]:
    scorer = PartScorer(job)
    for name in names:
        yield name, scorer.score(name, on_progress)
