"""A run keeps its answer: an evaluation writes it, a ranking and a prediction give it, with its parts beside it."""

import csv
import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import yaml
from safetensors.torch import load_file, save_file

from likely.cli import evaluate as verb
from likely.cli import run
from likely.data.catalogue_file import CATALOGUE_FILE, read_catalogue
from likely.data.movielens import read_movielens
from likely.data.preparation import prepare
from likely.data.protocol import SplitProtocol
from likely.data.records import Labels, read_records
from likely.data.task import BLEND_FILE, TASK_FILE, dump_task, task_of
from likely.errors import LikelyError
from likely.evaluation.answering import answer_records, answers
from likely.evaluation.blend import ADAPTER, ITEMS_FILE, LIKENESS_FILE, TREES_FILE, load_blend
from likely.evaluation.counting import PARTS, RatedItem, fit_counting
from likely.evaluation.given import Given
from likely.evaluation.metrics import auc
from likely.evaluation.scores import read_scores
from likely.evaluation.storage import load_evaluation
from likely.evaluation.user_ridge import candidate_lines
from likely.inference.movies import candidates_of, history_of
from likely.inference.ranking import Ranker
from likely.model.adapter import ADAPTER_WEIGHTS
from likely.sources.invented_ratings import make_sample
from support import save_drawn_run


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory, tiny_base):
    """Folder of a run with a drawn adapter, beside its data, after an evaluation."""
    from likely.model.adapter import Lora

    folder = tmp_path_factory.mktemp("blend")
    ratings = read_movielens(make_sample(folder / "sample", users=12, movies=40, ratings_per_user=24))
    prepare(ratings, folder / "data", SplitProtocol(warmup=5, history_length=5, hints=True, eval_fraction=0.2))
    files = {f"{split}_file": str(folder / "data" / f"{split}.json") for split in ("train", "eval", "test")}
    saved = save_drawn_run(folder / "run", tiny_base, Lora(4, 8, 0.1, ["q_proj"]), spread=0.5, cutoff_len=768, **files)
    (saved / TASK_FILE).write_text(dump_task(task_of(folder / "data" / "train.json")), encoding="utf-8")
    shutil.copy(folder / "data" / CATALOGUE_FILE, saved)
    shutil.copytree(saved, folder / "without")
    assert run(["evaluate", "--run", str(saved), "--no-base"]) == 0
    return saved


@pytest.fixture(scope="module")
def blend(evaluated):
    return load_blend(evaluated)


@pytest.fixture(scope="module")
def ranker(evaluated):
    return Ranker.load(evaluated)


def asked(evaluated, history=8, candidates=6):
    """Rated items of the catalogue, and others to rank."""
    rows = read_catalogue(evaluated)
    rated = [{**row, "rating": 1 + place % 5} for place, row in enumerate(rows[:history])]
    return rated, rows[20 : 20 + candidates]


def written(folder, history, candidates):
    for name, rows in (("history", history), ("candidates", candidates)):
        (folder / f"{name}.json").write_text(json.dumps(rows), encoding="utf-8")
    output = folder / "ranked.jsonl"
    files = [f"--{name}={folder / name}.json" for name in ("history", "candidates")]
    return output, ["rank", *files, f"--output={output}"]


def test_the_answer_is_the_headline_and_says_what_the_language_model_is_worth(evaluated):
    evaluation = load_evaluation(evaluated)
    *_, adapter, counting, answer = (result.system for result in evaluation.results)
    assert [one.kind for one in (adapter, counting, answer)] == ["adapter", "counting", "answer"]
    assert evaluation.main_result.system is answer
    worth = evaluation.worth_of_model
    assert worth.value == pytest.approx(auc(evaluation.liked, answer.p_yes) - auc(evaluation.liked, counting.p_yes))
    assert worth.low <= worth.value <= worth.high
    page = (evaluated / "report.html").read_text(encoding="utf-8")
    assert "The language model adds" in page or "With the language model" in page
    assert "the run’s answer has an AUC" in page or "the run&#39;s answer has an AUC" in page


def test_the_file_says_what_the_answer_is_made_of(evaluated):
    kept = json.loads((evaluated / BLEND_FILE).read_text())
    assert list(kept["answer"]["weights"]) == [*PARTS, ADAPTER]
    assert min(kept["answer"]["weights"].values()) >= 0
    rows = read_records(evaluated.parent / "data" / "eval.json", Labels())
    assert kept["fitted_on"] == {"eval_rows": len(rows), "users": len({row.user_id for row in rows})}
    assert kept["on_these_rows"]["answer_log_loss"] <= kept["on_these_rows"]["counting_log_loss"] + 1e-3
    items = pl.read_parquet(evaluated / ITEMS_FILE)
    assert items["item_id"].is_unique().all()
    counted = [*rows, *read_records(evaluated.parent / "data" / "train.json", Labels())]
    assert items["ratings"].sum() == len(counted)


def test_a_ranking_is_in_the_order_of_the_answer_with_its_parts_beside_it(evaluated, ranker, blend, tmp_path, capsys):
    history, candidates = asked(evaluated)
    output, command = written(tmp_path, history, candidates)
    assert run([*command, "--run", str(evaluated)]) == 0
    printed = capsys.readouterr().out
    assert all(word in printed for word in ("answer", "adapter", "counting"))
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    rated, movies = history_of(history, "h", ranker.task.words), candidates_of(candidates, "c", ranker.task.words)
    alone = {one.candidate.title: one.p_yes for one in ranker.rank(rated, movies)}
    assert {line["title"]: line["p_yes"] for line in lines} == pytest.approx(alone, abs=1e-5)
    records, p_yes = ranker.records_of(rated, movies), np.array([alone[movie.title] for movie in movies])
    said = answers(blend, rated, records, p_yes)
    order = np.argsort(-said.answer, kind="stable")
    assert [line["title"] for line in lines] == [movies[place].title for place in order]
    assert [line["answer"] for line in lines] == pytest.approx(said.answer[order].tolist(), abs=1e-5)
    assert [line["counting"] for line in lines] == pytest.approx(said.counting[order].tolist())
    assert [line["rank"] for line in lines] == list(range(1, len(movies) + 1))


def test_a_run_without_a_blend_ranks_as_before(evaluated, ranker, tmp_path, capsys):
    history, candidates = asked(evaluated)
    output, command = written(tmp_path, history, candidates)
    assert run([*command, "--run", str(evaluated.parent / "without")]) == 0
    assert "P(Yes)" in capsys.readouterr().out
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert all(list(line)[:3] == ["rank", "p_yes", "title"] and "answer" not in line for line in lines)
    assert [line["p_yes"] for line in lines] == sorted((line["p_yes"] for line in lines), reverse=True)


def test_records_get_the_answer_that_their_history_gets_in_a_ranking(evaluated, ranker, blend):
    """The same history and candidate, once in Python and once in the words of a record."""
    history, candidates = asked(evaluated, history=4)
    rated, movies = history_of(history, "h", ranker.task.words), candidates_of(candidates, "c", ranker.task.words)
    records = ranker.records_of(rated, movies)
    p_yes = np.linspace(0.2, 0.8, len(movies))
    ranked = answers(blend, rated, records, p_yes).answer
    told = [replace(record, item_id=None, extra={"shares": record.extra["shares"]}) for record in records]
    together = answer_records(blend, told, p_yes)
    np.testing.assert_allclose(together, ranked, rtol=1e-9)
    alone = [answer_records(blend, [record], one) for record, one in zip(told, p_yes[:, None], strict=True)]
    np.testing.assert_allclose(np.concatenate(alone), together, rtol=1e-7)
    later = [replace(record, extra={**record.extra, "timestamp": 4e9}) for record in told]
    np.testing.assert_array_equal(answer_records(blend, later, p_yes), together)


def test_a_prediction_has_the_answer_beside_p_yes_also_for_what_nobody_knows(evaluated, tmp_path):
    records = json.loads((evaluated.parent / "data" / "test.json").read_text())[:5]
    unknown = {"instruction": records[0]["instruction"], "input": "History, oldest first:\n(nothing yet)\nCandidate: X"}
    rows = [*records, {**dict.fromkeys(records[0]), **unknown}]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    for name, folder in (("with", evaluated), ("without", evaluated.parent / "without")):
        command = ["predict", "--run", str(folder), "--data", str(tmp_path / "in.jsonl")]
        assert run([*command, "--output", str(tmp_path / f"{name}.jsonl")]) == 0
    scored, before = (
        list(map(json.loads, (tmp_path / f"{name}.jsonl").read_text().splitlines())) for name in ("with", "without")
    )
    assert [list(row)[-2:] for row in scored] == [["p_yes", "answer"]] * len(rows)
    assert [{key: value for key, value in row.items() if key != "answer"} for row in scored] == before
    assert all(0 < row["answer"] < 1 for row in scored)
    assert len({row["answer"] for row in scored}) == len(rows)


def test_rows_of_csv_get_the_answer_of_the_same_rows_in_json(evaluated, tmp_path):
    rows = json.loads((evaluated.parent / "data" / "test.json").read_text())[:5]
    (tmp_path / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "in.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.DictWriter(file, rows[0])
        table.writeheader()
        table.writerows({key: json.dumps(v) if isinstance(v, dict) else v for key, v in row.items()} for row in rows)
    said = []
    for kind in ("jsonl", "csv"):
        command = ["predict", "--run", str(evaluated), "--data", str(tmp_path / f"in.{kind}")]
        assert run([*command, "--output", str(tmp_path / f"{kind}.parquet")]) == 0
        said.append(pl.read_parquet(tmp_path / f"{kind}.parquet").select("p_yes", "answer"))
    assert said[0].equals(said[1])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (BLEND_FILE, "is damaged"),
        (ITEMS_FILE, "damaged"),
        (LIKENESS_FILE, "damaged"),
        (TREES_FILE, "damaged"),
        ("adapter_config.json", "another adapter"),
    ],
)
def test_a_blend_that_is_damaged_or_of_another_adapter_is_refused_with_what_to_do(evaluated, tmp_path, name, words):
    folder = shutil.copytree(evaluated, tmp_path / "run")
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content + b" " if words == "another adapter" else content[:-20])
    with pytest.raises(LikelyError, match=f"{words}.*run likely evaluate again"):
        load_blend(folder)


def test_an_answer_that_is_no_number_is_refused_with_what_to_do(evaluated, ranker, blend):
    rated, movies = asked(evaluated)
    rated, movies = history_of(rated, "h", ranker.task.words), candidates_of(movies, "c", ranker.task.words)
    records, p_yes = ranker.records_of(rated, movies), np.full(len(movies), 0.5)
    assert np.isfinite(answers(blend, rated, records, p_yes).answer).all()
    facts, trees = blend.counting.facts, blend.counting.trees
    no_level = replace(facts, table=facts.table.with_columns(level=pl.lit(float("nan"))))
    no_value = replace(trees, nodes=trees.nodes.with_columns(value=pl.lit(float("nan"))))
    for counting in (replace(blend.counting, facts=no_level), replace(blend.counting, trees=no_value)):
        with pytest.raises(LikelyError, match=r"answer is no number.*run likely evaluate again"):
            answers(replace(blend, counting=counting), rated, records, p_yes)


def test_a_blend_of_an_older_format_is_refused_with_what_to_do(evaluated, tmp_path):
    folder = shutil.copytree(evaluated, tmp_path / "run")
    kept = json.loads((folder / BLEND_FILE).read_text())
    del kept["format"]
    (folder / BLEND_FILE).write_text(json.dumps(kept))
    with pytest.raises(LikelyError, match=r"another version of likely.*run likely evaluate again"):
        load_blend(folder)


def test_tables_of_items_that_do_not_fit_together_are_refused(blend):
    facts = blend.counting.facts
    facts.check()
    beyond_the_table = facts.likeness.with_columns(item=pl.lit(len(facts.table)))
    for change in ({"likeness": beyond_the_table}, {"table": facts.table.with_columns(told=pl.lit(None, pl.Float64))}):
        with pytest.raises(ValueError, match="not sound"):
            replace(facts, **change).check()


def test_what_is_kept_says_the_same_as_what_was_fitted_and_names_no_user(evaluated, blend):
    train, tuned, test = (
        read_records(evaluated.parent / "data" / f"{split}.json", Labels()) for split in ("train", "eval", "test")
    )
    words = blend.task.words
    fitted, _ = fit_counting(Given(train, test, Labels(), tuned, words), words)
    history = [
        RatedItem(name, place % 2 == 0, stars=4.5 - place % 2) for place, name in enumerate(candidate_lines(train)[:9])
    ]
    said = [counting.known_now(history, test[:5]) for counting in (fitted, blend.counting)]
    np.testing.assert_allclose(*said, rtol=1e-9)
    likeness = pl.read_parquet(evaluated / LIKENESS_FILE)
    assert likeness.columns == ["user", "item", "beyond"]
    assert likeness["user"].n_unique() <= len({record.user_id for record in train})


def test_an_answer_that_was_fitted_with_other_settings_than_the_runs_own_is_not_kept(evaluated, tmp_path, capsys):
    folder = shutil.copytree(evaluated.parent / "without", tmp_path / "run")
    assert run(["evaluate", "--run", str(folder), "--no-base", "cutoff_len=512"]) == 0
    assert not (folder / BLEND_FILE).exists()
    assert "The answer is not kept, as the adapter was asked by cutoff_len" in " ".join(capsys.readouterr().out.split())
    same = str(folder.parent / "." / "other" / ".." / folder.name)
    (folder.parent / "other").mkdir()
    assert run(["evaluate", "--run", str(folder), "--no-base", "--output", same, "max_eval_samples=300"]) == 0
    assert (folder / BLEND_FILE).exists()


def test_an_answer_is_not_given_after_the_settings_of_the_run_have_changed(evaluated, tmp_path, capsys):
    folder = shutil.copytree(evaluated, tmp_path / "run")
    path = folder / "config.yaml"
    for change in ({"cutoff_len": 512}, {"dtype": "bfloat16"}):
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **change}))
        with pytest.raises(
            LikelyError, match=rf"asked by other settings \({next(iter(change))}\) than .* set them back"
        ):
            load_blend(folder)
        shutil.copy(evaluated / "config.yaml", path)
    free = {"per_device_eval_batch_size": 3, "learning_rate": 1e-3, "model_name_or_path": "elsewhere/tiny"}
    path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text(encoding="utf-8")), **free}))
    assert load_blend(folder)
    earlier = json.loads((folder / BLEND_FILE).read_text(encoding="utf-8"))
    del earlier["asked_by"]  # as of an earlier version
    (folder / BLEND_FILE).write_text(json.dumps(earlier), encoding="utf-8")
    assert load_blend(folder)


def test_nothing_is_kept_of_an_adapter_that_was_replaced_meanwhile(evaluated, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(evaluated, tmp_path / "run")
    for name in (BLEND_FILE, "evaluation.json", "evaluation_rows.jsonl"):
        (folder / name).unlink()
    measure = verb.measure

    def trained_again(*given, **named):
        findings = measure(*given, **named)
        weights = load_file(folder / ADAPTER_WEIGHTS)
        save_file({name: weight * 3 for name, weight in weights.items()}, folder / ADAPTER_WEIGHTS)
        return findings

    monkeypatch.setattr(verb, "measure", trained_again)
    assert run(["evaluate", "--run", str(folder), "--no-base", "--no-text-features"]) == 2
    assert "was replaced by another meanwhile" in " ".join(capsys.readouterr().err.split())
    assert not any((folder / name).exists() for name in (BLEND_FILE, "evaluation.json", "evaluation_rows.jsonl"))


def test_an_adapter_that_was_replaced_before_it_was_loaded_is_not_mixed_with_the_answer_of_another(
    evaluated, tmp_path, monkeypatch, capsys
):
    folder = shutil.copytree(evaluated, tmp_path / "run")
    load = Ranker.load

    def trained_again(*given):
        weights = load_file(folder / ADAPTER_WEIGHTS)
        save_file({name: weight * 3 for name, weight in weights.items()}, folder / ADAPTER_WEIGHTS)
        return load(*given)

    monkeypatch.setattr(Ranker, "load", trained_again)
    output, command = written(tmp_path, *asked(evaluated))
    assert run([*command, "--run", str(folder)]) == 2
    assert "was replaced by another meanwhile" in " ".join(capsys.readouterr().err.split())
    assert not output.exists()


def test_an_answer_beside_other_records_than_the_runs_own_is_not_kept(evaluated, tmp_path, capsys):
    """The same folder, prepared anew, may ask something else and deal out the same ratings otherwise."""
    folder = shutil.copytree(evaluated.parent / "without", tmp_path / "run")
    ratings = read_movielens(evaluated.parent / "sample")
    protocol = SplitProtocol(warmup=5, history_length=5, hints=True, eval_fraction=0.2, like_threshold=3)
    prepare(ratings, tmp_path / "data", replace(protocol, short_hints=True))
    files = [f"{split}_file={tmp_path / 'data' / split}.json" for split in ("train", "eval", "test")]
    assert run(["evaluate", "--run", str(folder), "--no-base", "--no-text-features", *files]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "train.json asks something else than the run was trained on (like_threshold 4.0 -> 3.0, short_" in said
    assert "The answer of this evaluation is not kept." in said
    assert not (folder / BLEND_FILE).exists()


def test_an_answer_is_not_mixed_with_an_adapter_that_is_asked_otherwise(evaluated, tmp_path, capsys):
    command = ["predict", "--run", str(evaluated), "--data", str(evaluated.parent / "data" / "test.json")]
    for overrides, has_answer in (([], True), (["cutoff_len=512"], False)):
        assert run([*command, "--output", str(tmp_path / f"{has_answer}.csv"), *overrides]) == 0
        with (tmp_path / f"{has_answer}.csv").open(encoding="utf-8") as lines:
            assert ("answer" in next(csv.reader(lines))) is has_answer
        said = " ".join(capsys.readouterr().out.split())
        assert ("No column answer is written: it was fitted with the run's own cutoff_len." in said) is not has_answer


def test_what_predict_writes_enters_the_table_of_another_run(evaluated, tmp_path):
    data = evaluated.parent / "data" / "test.json"
    assert run(["predict", "--run", str(evaluated), "--data", str(data), "--output", str(tmp_path / "a.jsonl")]) == 0
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    given = read_scores(tmp_path / "a.jsonl", read_records(data, Labels()))
    np.testing.assert_array_equal(given, [line["p_yes"] for line in lines])


def test_figures_that_go_elsewhere_leave_the_run_as_it_is(evaluated, tmp_path):
    folder = evaluated.parent / "without"
    assert run(["evaluate", "--run", str(folder), "--no-base", "--output", str(tmp_path)]) == 0
    assert not (folder / BLEND_FILE).exists()
    assert not (tmp_path / BLEND_FILE).exists()
