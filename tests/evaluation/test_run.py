"""Everybody answers the same rows, differences are paired, and what cannot take part is left out with a reason."""

import errno
import html
import json
import os
import re
import shutil
import time
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import yaml
from sklearn.metrics import roc_auc_score

from likely.cli import run
from likely.cli.report import training_item_counts
from likely.config.reading import load_config
from likely.data import run_data
from likely.data.records import Labels, read_records, write_records
from likely.data.run_data import count_items, files_of, training_records
from likely.data.task import TASK_FILE, RecordsTask, content_of, dump_task
from likely.evaluation.baselines import baseline_systems
from likely.evaluation.contest import System, judge
from likely.evaluation.fusion import WITH_RATES
from likely.evaluation.run import evaluate
from likely.evaluation.storage import load_evaluation, save_evaluation
from likely.inference.loaded_run import config_of
from likely.report import terminal
from support import records_of, save_drawn_run

pytestmark = pytest.mark.usefixtures("sketched")

METRICS = {"accuracy", "f1", "auc", "uauc", "uauc_5", "gauc", "log_loss", "ece", "answered"}


def system(name, p_yes, kind="baseline"):
    p_yes = np.asarray(p_yes, dtype=float)
    return System(name, kind, p_yes, p_yes >= 0.5, p_yes < 0.5)


@pytest.fixture(scope="module")
def judged():
    random = np.random.default_rng(0)
    records = [row for user in range(30) for row in records_of(random.random(12) < 0.5, f"u{user}")]
    liked = np.array([record.output == "Yes" for record in records])
    noise = random.random((3, len(records)))
    entered = [
        system("always Yes", np.ones(len(records))),
        system("weak", 0.2 * liked + 0.8 * noise[0]),
        system("strong", 0.4 * liked + 0.6 * noise[1]),
        system("model", 0.6 * liked + 0.4 * noise[2], "adapter"),
    ]
    return records, liked, entered, judge(records, Labels(), entered)


def test_figures_are_those_of_the_rows(judged):
    _, liked, entered, evaluation = judged
    assert [result.system for result in evaluation.results] == entered
    for result in evaluation.results:
        assert set(result.metrics) == METRICS
        assert result.metrics["auc"] == pytest.approx(roc_auc_score(liked, result.system.p_yes))
        for name in METRICS - {"ece", "answered"}:
            low, high = result.intervals[name]
            assert low <= result.metrics[name] <= high


def test_differences_are_to_the_best_baseline_and_never_to_a_model(judged):
    *_, evaluation = judged
    always, weak, strong, model = evaluation.results
    assert evaluation.best_baseline == "strong"
    assert strong.difference is None
    assert weak.difference[2] < 0 < model.difference[1]
    for result in (always, weak, model):
        assert result.difference[0] == pytest.approx(result.metrics["auc"] - strong.metrics["auc"])
        assert result.difference[1] <= result.difference[0] <= result.difference[2]
        assert result.differences["strong"] == result.difference
    assert model.differences["weak"][0] == pytest.approx(model.metrics["auc"] - weak.metrics["auc"])
    assert set(model.differences) == {"always Yes", "weak", "strong"}
    assert set(strong.differences) == {"always Yes", "weak"}


def test_aucs_within_users_and_log_loss_have_paired_differences_to_the_best_baseline_too(judged):
    *_, evaluation = judged
    always, _, strong, model = evaluation.results
    assert strong.beside_auc == {}
    assert set(model.beside_auc) == {"uauc", "uauc_5", "gauc", "log_loss"}
    for name, difference in model.beside_auc.items():
        assert difference.value == pytest.approx(model.metrics[name] - strong.metrics[name])
        assert difference.low <= difference.value <= difference.high
    assert model.beside_auc["gauc"].low > 0 > always.beside_auc["gauc"].high
    assert evaluation.counted_users["uauc"] == evaluation.counted_users["uauc_5"] == 30
    assert evaluation.effective_users == pytest.approx(30)


def test_a_contestant_equal_to_the_best_baseline_differs_by_nothing_on_every_resample(judged):
    records, _, entered, _ = judged
    evaluation = judge(records, Labels(), [*entered, system("copy", entered[2].p_yes, "base")])
    assert evaluation.results[-1].difference == (0, 0, 0)


def test_the_same_seed_gives_the_same_intervals(judged):
    records, _, entered, evaluation = judged
    again, other = (judge(records, Labels(), entered, seed) for seed in (0, 1))
    assert [s.intervals for s in again.results] == [s.intervals for s in evaluation.results]
    assert [s.intervals for s in other.results] != [s.intervals for s in evaluation.results]


def test_one_label_or_one_user_leaves_unknown_what_it_cannot_tell():
    likes = records_of([True, True])
    one_label = judge(likes, Labels(), [system("always Yes", [1, 1]), system("half", [0.5, 0.4])])
    assert np.isnan(one_label.results[0].metrics["auc"])
    assert np.isnan(one_label.results[1].difference).all()
    one_user = judge(records_of([True, False]), Labels(), [system("right", [0.9, 0.1])])
    assert one_user.results[0].metrics["auc"] == 1
    assert np.isnan(list(one_user.results[0].intervals.values())).all()


def test_rows_without_users_are_users_of_their_own():
    records = [replace(record, user_id=None) for record in records_of([True, False, True])]
    evaluation = judge(records, Labels(), [system("always Yes", np.ones(3))])
    assert evaluation.users == ["row 1", "row 2", "row 3"]
    assert np.isnan(evaluation.results[0].metrics["uauc"])


def as_row(record, **extra):
    return {**{key: value for key, value in vars(record).items() if key not in ("extra", "history")}, **extra}


@pytest.fixture(scope="module")
def finished(tmp_path_factory, tiny_base, record_of):
    """Folder of a finished run: an adapter with random weights, its configuration and prepared records."""
    from likely.model.adapter import Lora

    folder = tmp_path_factory.mktemp("evaluated")
    histories = {"train": range(3, 7), "eval": range(7, 9), "test": range(9, 11)}
    for split, lengths in histories.items():
        rows = [
            as_row(record_of(user, length), history_likes=1, history_length=length)
            for user in range(8)
            for length in lengths
        ]
        write_records(folder / f"{split}.json", rows)
    files = {f"{split}_file": str(folder / f"{split}.json") for split in histories}
    lora = Lora(4, 8, 0.1, ["q_proj"])
    return save_drawn_run(folder / "run", tiny_base, lora, spread=0.5, cutoff_len=768, **files)


def test_the_command_lets_models_fusion_and_baselines_answer_the_same_rows(finished, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["evaluate", "--adapter-dir", str(finished), "--output", str(tmp_path / "new")]) == 0
    printed = capsys.readouterr().out
    evaluation = load_evaluation(tmp_path / "new")
    assert [result.system.kind for result in evaluation.results] == [
        *["baseline"] * 9, "base", "adapter", "fusion", "fusion",
    ]  # fmt: skip
    assert len(evaluation.records) == 16
    assert all(len(result.system.p_yes) == 16 for result in evaluation.results)
    base, adapter, *fusions = (result.system for result in evaluation.results[-4:])
    assert base.name.startswith("base tiny-base")
    assert (adapter.name, fusions[0].name) == ("with the adapter", WITH_RATES)
    assert fusions[1].name.removeprefix("adapter + ") in {result.system.name for result in evaluation.results}
    assert np.abs(base.p_yes - adapter.p_yes).max() > 1e-4
    assert "13 systems on 16 rows in" in printed
    assert all(len(line) <= 80 for line in printed.splitlines() if not line.startswith("Written"))


def test_baselines_that_know_no_more_than_the_adapter_and_predictions_of_others_stand_in_the_table(finished, tmp_path):
    rows = read_records(finished.parent / "test.json", Labels())
    lines = [{"user_id": one.user_id, "item_id": one.item_id, "p_yes": 0.1 + 0.05 * n} for n, one in enumerate(rows)]
    scores = tmp_path / "theirs.jsonl"
    scores.write_text("\n".join(map(json.dumps, lines)))
    folder = shutil.copytree(finished, tmp_path / "run")
    trained = {"best_step": 4, "train": {"steps": 6, "step_size": 5, "records": 30, "seconds": 1.0}}
    (folder / "metrics.json").write_text(json.dumps(trained))
    options = ["--adapter-dir", str(folder), "--output", str(tmp_path), "--no-base", "--scores", str(scores)]
    assert run(["evaluate", *options]) == 0
    results = {result.system.name: result.system for result in load_evaluation(tmp_path).results}
    fewer = [name for name in results if name.endswith(", 20 records")]
    assert "boosted trees, 20 records" in fewer
    assert all(results[name].kind == "baseline" for name in fewer)
    theirs = results["theirs"]
    assert theirs.kind == "given"
    assert theirs.p_yes.tolist() == [line["p_yes"] for line in lines]

    scores.write_text("\n".join(map(json.dumps, lines[1:])))
    assert run(["evaluate", *options]) == 2


def test_predictions_of_others_never_stand_for_a_system_of_the_same_name(finished, tmp_path):
    scores = tmp_path / "boosted trees.jsonl"
    scores.write_text("\n".join(json.dumps({"row": n, "p_yes": 0.25}) for n in range(1, 17)))
    found = evaluate(None, load_config(finished / "config.yaml"), scores=scores)
    save_evaluation(tmp_path, found.evaluation)
    told = {result.system.name: result.system for result in load_evaluation(tmp_path).results}
    assert told["boosted trees.jsonl"].p_yes.tolist() == [0.25] * 16
    assert told["boosted trees"].kind == "baseline"
    assert told["boosted trees"].p_yes.tolist() != [0.25] * 16


def test_likes_are_ranked_among_all_items_where_that_is_asked_for(finished, tmp_path, capsys):
    options = ["--run", str(finished), "--output", str(tmp_path), "--no-base", "--ranking", "2"]
    assert run(["evaluate", *options]) == 0
    ranking = load_evaluation(tmp_path).ranking
    assert [result.name for result in ranking.results] == [
        "popularity", "item like-rate", "matrix factorisation", "with the adapter",
    ]  # fmt: skip
    assert ranking.users == 2
    assert not ranking.sampled
    printed = " ".join(capsys.readouterr().out.split())
    assert "NDCG@10" in printed
    assert "Likes of 2 users ranked among up to" in printed
    assert "Recall@10" in (tmp_path / "report.html").read_text()


def test_the_page_is_written_with_the_figures_and_again_by_report(finished, tmp_path, capsys):
    folder = shutil.copytree(finished, tmp_path / "run")
    assert run(["evaluate", "--adapter-dir", str(folder), "--max-samples", "6"]) == 0
    page = folder / "report.html"
    first = page.read_text(encoding="utf-8")
    assert all(result.system.name in first for result in load_evaluation(folder).results)
    page.unlink()
    assert run(["report", "--adapter-dir", str(folder)]) == 0
    assert page.read_text(encoding="utf-8") == first

    later = time.time() + 9999  # as a copy may have it
    os.utime(folder / "adapter_model.safetensors", (later, later))
    assert run(["report", "--adapter-dir", str(folder)]) == 0
    assert "boosted trees" in page.read_text(encoding="utf-8")


def test_an_evaluation_keeps_what_its_reader_should_know(finished, tmp_path, capsys):
    eval_file = load_config(finished / "config.yaml").eval_file
    options = ["--no-base", "--data", str(eval_file), "--max-samples", "9", "--output", str(tmp_path), "cutoff_len=600"]
    assert run(["evaluate", "--run", str(finished), *options]) == 0
    said = " ".join(load_evaluation(tmp_path).notes)
    assert said.startswith(f"The rows are those of {eval_file}. No more than 9 rows were asked, of whole users. ")
    assert "The adapter was asked by cutoff_len=600, which is not the run's own." in said
    assert "9 rows are eval records, by which the checkpoint was chosen" in said
    page = html.unescape((tmp_path / "report.html").read_text(encoding="utf-8"))
    assert said in " ".join(page.split())


def test_a_page_counts_the_records_that_the_run_was_trained_on_or_none(finished, tmp_path):
    folder, path = shutil.copytree(finished, tmp_path / "run"), tmp_path / "train.json"
    config = config_of(folder)
    shutil.copy(files_of(config).train, path)
    config = config.model_copy(update={"train_file": str(path)})
    (folder / "metrics.json").write_text(json.dumps({"train_data": content_of(path, files_of(config).columns)}))
    counts = training_item_counts(folder, config)
    assert counts == count_items(training_records(config))
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8"))[1:]), encoding="utf-8")
    assert training_item_counts(folder, config) is None
    (folder / "metrics.json").unlink()  # where nothing tells
    assert training_item_counts(folder, config) == count_items(training_records(config))


def test_no_page_shows_figures_of_another_adapter(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "run")
    assert run(["evaluate", "--run", str(finished), "--output", str(folder), "--max-samples", "6", "--no-base"]) == 0
    (folder / "adapter_model.safetensors").write_bytes(b"trained again, or always another")
    figures = folder / "evaluation.json"
    for is_new in (True, False):
        later = time.time() + (9999 if is_new else 0)
        os.utime(figures, (later, later))
        assert run(["report", "--run", str(folder)]) == 0
        assert "boosted trees" not in (folder / "report.html").read_text(encoding="utf-8")

    values = json.loads(figures.read_text())
    del values["adapter"]  # as earlier versions left it, where the time tells
    for seconds in (9999, -9999):
        figures.write_text(json.dumps(values))
        os.utime(figures, (time.time() + seconds,) * 2)
        assert run(["report", "--run", str(folder)]) == 0
        assert ("boosted trees" in (folder / "report.html").read_text(encoding="utf-8")) == (seconds > 0)


def test_without_the_base_model_all_others_say_the_same(finished, tmp_path, capsys):
    for folder, options in (("all", []), ("some", ["--no-base"])):
        assert run(["evaluate", "--adapter-dir", str(finished), "--output", str(tmp_path / folder), *options]) == 0
    everybody, others = (load_evaluation(tmp_path / folder).results for folder in ("all", "some"))
    expected = [result.system for result in everybody if result.system.kind != "base"]
    assert [result.system.name for result in others] == [system.name for system in expected]
    for result, system in zip(others, expected, strict=True):
        assert result.system.p_yes == pytest.approx(system.p_yes)
    assert "with the adapter" in (tmp_path / "some" / "report.html").read_text(encoding="utf-8")


def test_a_report_of_nothing_says_so(tmp_path, capsys):
    assert run(["report", "--adapter-dir", str(tmp_path)]) == 2
    assert "holds no finished run" in capsys.readouterr().err


def test_the_scores_are_those_of_infer(finished, tmp_path, capsys):
    assert run(["evaluate", "--adapter-dir", str(finished), "--output", str(tmp_path)]) == 0
    output = tmp_path / "scores[all].jsonl"
    assert run(["infer", "--adapter-dir", str(finished), "--output", str(output)]) == 0
    assert f"Scores written to {output}." in capsys.readouterr().out
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    evaluation = load_evaluation(tmp_path)
    for result in evaluation.results[-4:-2]:
        kind = result.system.kind
        assert result.system.p_yes == pytest.approx([line[kind]["p_yes"] for line in lines], rel=1e-5)


@pytest.fixture
def tabulated(monkeypatch):
    """Evaluations in the order in which verbs make tables of them."""
    seen = []
    make_table = terminal.results_table

    def table_of(evaluation):
        seen.append(evaluation)
        return make_table(evaluation)

    monkeypatch.setattr(terminal, "results_table", table_of)
    return seen


def test_infer_shows_the_table_of_evaluate(finished, tmp_path, capsys, tabulated):
    """The same figures of the same rows, with base, adapter and the two simplest baselines."""
    common = ["--run", str(finished), "--max-samples", "12", "--output"]
    assert run(["infer", *common, str(tmp_path / "scores.jsonl")]) == 0
    assert run(["evaluate", *common, str(tmp_path)]) == 0
    inferred, evaluated = tabulated
    names = [result.system.name for result in inferred.results]
    assert names[:2] == ["item like-rate", "history fraction liked"]
    assert [result.system.kind for result in inferred.results[2:]] == ["base", "adapter"]
    assert inferred.records == evaluated.records
    rows = [[json.loads(line)["row"] for line in (tmp_path / name).read_text(encoding="utf-8").splitlines()]
            for name in ("scores.jsonl", "evaluation_rows.jsonl")]  # fmt: skip
    assert rows[0] == rows[1] == [record.place.row for record in inferred.records]
    assert rows[0] != [*range(1, 13)]  # of the file, and not of those that are taken
    expected = {result.system.name: result for result in evaluated.results}
    for result in inferred.results:
        for name in ("metrics", "intervals"):  # as text, in which nan equals itself
            assert repr(getattr(result, name)) == repr(getattr(expected[result.system.name], name))


@pytest.mark.parametrize(
    ("verb", "output"),
    [("infer", "missing/scores.jsonl"), ("infer", "."), ("evaluate", "file"), ("evaluate", "report.html/..")],
)
def test_what_cannot_be_written_is_said_before_anything_is_scored(
    finished, tmp_path, capsys, monkeypatch, verb, output
):
    def refuse(*arguments, **named):
        raise AssertionError("a model was asked")

    monkeypatch.setattr("likely.evaluation.run.ask_models", refuse)
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "report.html").mkdir()
    assert run([verb, "--run", str(finished), "--output", str(tmp_path / output)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "written" in said


@pytest.mark.parametrize("verb", ["infer", "evaluate"])
def test_a_disk_that_fills_up_while_rows_are_scored_costs_the_file_and_not_the_figures(
    finished, tmp_path, capsys, monkeypatch, verb
):
    def full(old, new):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    output = tmp_path if verb == "evaluate" else tmp_path / "scores.jsonl"
    monkeypatch.setattr(os, "replace", full)
    assert run([verb, "--run", str(finished), "--max-samples", "6", "--output", str(output)]) == 2
    said = capsys.readouterr()
    assert "log-loss and ECE" in " ".join(said.out.split())  # under the table
    left = [path for path in tmp_path.iterdir() if path.name not in ("report.html", "scores.jsonl")]
    assert left  # the scores, which the same command takes up
    assert all(path.suffix == ".partial" for path in left)
    assert said.err.count("\n") == 1
    assert "cannot be written (No space left on device)" in said.err


def test_infer_compares_foreign_records_with_always_yes(finished, tmp_path, capsys, tabulated):
    rows = [{"instruction": r.instruction, "input": r.input, "output": r.output} for r in _read(finished, "test")]
    write_records(tmp_path / "foreign.json", rows)
    assert run(["infer", "--run", str(finished), "--data", str(tmp_path / "foreign.json")]) == 0
    assert "Not all rows have a user_id" in " ".join(capsys.readouterr().out.split())
    (evaluation,) = tabulated
    assert evaluation.results[0].system.name == "always Yes"
    assert [result.system.kind for result in evaluation.results] == ["baseline", "base", "adapter"]


def test_an_evaluation_is_quiet_counts_to_the_end_and_reads_the_training_file_once(finished, capsys, monkeypatch):
    read = []

    def reading(path, *arguments):
        read.append(path.name)
        return read_records(path, *arguments)

    monkeypatch.setattr(run_data, "read_records", reading)
    seen = []
    findings = evaluate(finished, on_progress=lambda *now: seen.append(now))
    assert capsys.readouterr() == ("", "")
    assert sorted(read) == ["eval.json", "test.json", "train.json"]
    assert findings.evaluation.notes == []
    assert findings.item_counts == Counter(record.item_id for record in _read(finished, "train"))
    total = 2 * len(findings.evaluation.records) + len(_read(finished, "eval"))
    assert seen[-1] == (total, total)
    assert seen == sorted(seen)


def test_a_fusion_without_a_test_file_is_left_out_because_it_would_know_the_answers(finished, tmp_path, capsys):
    arguments = ["--adapter-dir", str(finished), "--output", str(tmp_path), "test_file=none"]
    assert run(["evaluate", *arguments]) == 0
    assert "among the rows" in " ".join(capsys.readouterr().out.split())
    assert "fusion" not in {result.system.kind for result in load_evaluation(tmp_path).results}


def test_baselines_alone_need_no_model(finished, tmp_path, capsys, monkeypatch):
    def refuse(*arguments):
        raise AssertionError("a model was asked for")

    monkeypatch.setattr("likely.evaluation.run.ask_models", refuse)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run.yaml").write_text((finished / "config.yaml").read_text())
    assert run(["evaluate", "--baselines-only", "--config", "run.yaml", "model_name_or_path=nowhere"]) == 0
    evaluation = load_evaluation(tmp_path / "output" / "baselines")
    assert {result.system.kind for result in evaluation.results} == {"baseline"}
    expected, _ = baseline_systems(_read(finished, "train"), evaluation.records, Labels())
    for one, other in zip(evaluation.results, expected, strict=True):
        assert one.system.p_yes == pytest.approx(other.p_yes)


def _read(finished, split):
    return read_records(finished.parent / f"{split}.json", Labels())


def test_baselines_alone_go_into_the_folder_of_a_run_but_never_over_its_models(finished, capsys):
    alone = ["evaluate", "--baselines-only", "--adapter-dir", str(finished)]
    assert run(alone) == 0
    assert {s.system.kind for s in load_evaluation(finished).results} == {"baseline"}
    assert run(["evaluate", "--adapter-dir", str(finished), "--max-samples", "6"]) == 0
    assert len(load_evaluation(finished).records) == 6
    assert run(alone) == 2
    assert "holds an evaluation of models" in capsys.readouterr().err
    assert len(load_evaluation(finished).records) == 6


def test_foreign_files_are_evaluated_with_what_they_have(finished, tmp_path, capsys):
    """Rows of instruction, input and output and nothing else, as TALLRec has them."""
    for split in ("train", "test"):
        rows = [{"instruction": r.instruction, "input": r.input, "output": r.output} for r in _read(finished, split)]
        write_records(tmp_path / f"{split}.json", rows)
    files = [f"{split}_file={tmp_path / split}.json" for split in ("train", "test")]
    assert run(["evaluate", "--adapter-dir", str(finished), "--output", str(tmp_path), *files]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "item like-rate is left out: it needs item_id in every record." in said
    assert "Fusions of the adapter are left out" in said
    assert "there is no UAUC" in said
    systems = [result.system for result in load_evaluation(tmp_path).results]
    assert [system.name for system in systems[:-2]] == ["always Yes", "TF-IDF of the text"]
    assert [system.kind for system in systems[-2:]] == ["base", "adapter"]


@pytest.fixture
def churn(finished, tmp_path):
    """A run on records of one's own, which name no users: its folder, with the labels it was given."""
    folder = shutil.copytree(finished, tmp_path / "churn")
    random = np.random.default_rng(0)
    for split, number in (("train", 40), ("test", 30)):
        calls = random.integers(0, 9, number).tolist()
        rows = [
            {"instruction": "Leaves?", "input": f"complaints: {calm}", "output": "Ja" if calm > 4 else "Nein"}
            for calm in calls
        ]
        write_records(tmp_path / f"{split}.json", rows)
    values = yaml.safe_load((folder / "config.yaml").read_text())
    values |= {f"{split}_file": str(tmp_path / f"{split}.json") for split in ("train", "test")}
    values |= {"eval_file": None, "positive_label": "Ja", "negative_label": "Nein"}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    (folder / TASK_FILE).write_text(dump_task(RecordsTask()), encoding="utf-8")
    return folder


@pytest.mark.parametrize("baselines_only", [False, True])
def test_records_of_ones_own_are_spoken_of_by_their_labels(churn, tmp_path, capsys, monkeypatch, baselines_only):
    monkeypatch.setenv("COLUMNS", "200")
    options = ["--baselines-only", "--config", str(churn / "config.yaml")] if baselines_only else ["--run", str(churn)]
    assert run(["evaluate", *options, "--output", str(tmp_path / "out")]) == 0
    if not baselines_only:
        assert run(["infer", "--run", str(churn)]) == 0
    evaluation = load_evaluation(tmp_path / "out")
    assert [result.system.name for result in evaluation.of_kind("baseline")] == ["always Ja", "TF-IDF of the text"]
    assert evaluation.results[1].metrics["auc"] > 0.9
    assert all(np.isfinite(result.intervals["auc"]).all() for result in evaluation.results)
    page = re.sub(
        r"<style>.*?</style>|<details>.*?</details>",
        "",
        (tmp_path / "out" / "report.html").read_text(),
        flags=re.DOTALL,
    )
    printed = capsys.readouterr().out
    assert "resamples of rows" in " ".join(printed.split())
    assert "Ja or Nein?" in page
    for said in (page, printed):
        assert not re.search(
            r"\blik(e|ed|ing)\b|movie|UAUC [0-9–]", re.sub(r"var\(--liked\)|class=\"liked\"", "", said)
        )


def test_rows_that_were_trained_on_are_named(finished, tmp_path, capsys):
    arguments = ["--adapter-dir", str(finished), "--output", str(tmp_path), "--baselines-only"]
    assert run(["evaluate", *arguments, "--data", str(finished.parent / "train.json")]) == 0
    assert "32 rows are training records too, or of the user and item of one," in " ".join(
        capsys.readouterr().out.split()
    )


def test_what_the_base_model_reads_in_texts_stands_in_the_table_where_records_have_times(
    finished, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("likely.inference.loaded_run.cache_folder", lambda: tmp_path / "cache")
    folder = shutil.copytree(finished.parent, tmp_path / "timed")
    for split in ("train", "eval", "test"):
        rows = [
            as_row(
                replace(one, place=None), **one.extra, timestamp=100 * one.extra["history_length"] + int(one.user_id)
            )
            for one in read_records(folder / f"{split}.json", Labels())
        ]
        write_records(folder / f"{split}.json", rows)
    config = yaml.safe_load((folder / "run" / "config.yaml").read_text())
    config |= {f"{split}_file": str(folder / f"{split}.json") for split in ("train", "eval", "test")}
    (folder / "run" / "config.yaml").write_text(yaml.safe_dump(config))
    names = {}
    for option in ("--text-features", "--no-text-features"):
        assert run(["evaluate", "--run", str(folder / "run"), "--output", str(tmp_path / option), option]) == 0
        names[option] = [(one.system.name, one.system.kind) for one in load_evaluation(tmp_path / option).results]
    added = [one for one in names["--text-features"] if one not in names["--no-text-features"]]
    assert [(re.sub("tiny-base.*", "the base", name), kind) for name, kind in added] == [
        ("all we can count + texts, shuffled", "baseline"),
        ("all we can count + n-grams of texts", "baseline"),
        ("all we can count + texts read by the base", "fusion"),
        ("all we can count + n-grams of texts, and read by the base", "fusion"),
    ]
