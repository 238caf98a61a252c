"""A ranking is what one record after another would give, asked in the words of training, at the cost of a tree."""

import dataclasses
import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
import yaml
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from likely.cli import run
from likely.data.liked_shares import add_tastes, rating_deviations
from likely.data.movielens import read_movielens
from likely.data.opinions import count_earlier_ratings
from likely.data.protocol import SPLITS, SplitProtocol
from likely.data.ratings import RatingTable
from likely.data.records import read_records, write_records
from likely.data.task import TASK_FILE, dump_task, ratings_task
from likely.data.timelines import build_timelines, make_rows
from likely.data.wording import MOVIES, Words
from likely.encoding.batches import Budget
from likely.errors import LikelyError
from likely.inference import loaded_run
from likely.inference.loaded_run import config_of
from likely.inference.movies import Movie, RatedMovie, candidates_of, read_candidates, read_history
from likely.inference.ranking import Ranker, cheapest_plan, cheapest_row
from likely.model import families, kept_history, masks, self_check
from likely.model.masks import Reach
from likely.model.scoring import PassPlan
from likely.sources.invented_ratings import make_sample

HISTORY = [
    {"title": "Heat", "year": 1995, "genres": ["Action", "Crime"], "rating": 4.5},
    {"title": "Cosmos", "rating": 2},
    {"title": "Alien", "year": 1979, "genres": "Horror|Sci-Fi", "rating": 5},
]
CANDIDATES = [
    {"title": "Ronin", "year": 1998, "genres": ["Action", "Crime"], "tmdb": 8195, "shelf": {"row": "B"}},
    {"title": "Babe", "genres": "Children, Comedy"},
    {"title": "Gattaca", "year": 1997},
]


def trained(folder, tiny_base, train_file):
    """Train for two steps through the command line and return the folder of the run."""
    values = {
        "model_name_or_path": str(tiny_base),
        "dataset": None,
        "train_file": str(train_file),
        "output_dir": str(folder / "run"),
        "cutoff_len": 768,
        "max_steps": 2,
        "eval_strategy": "no",
        "lora_rank": 4,
        "lora_alpha": 8,
    }
    (folder / "run.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    assert run(["train", "--config", str(folder / "run.yaml")]) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory, tiny_base, records):
    """Folder of a run on records of a user's own."""
    folder = tmp_path_factory.mktemp("foreign")
    rows = [{"instruction": r.instruction, "input": r.input, "output": r.output} for r in records]
    write_records(folder / "train.json", rows)
    return trained(folder, tiny_base, folder / "train.json")


@pytest.fixture(scope="module")
def adapter(tmp_path_factory, foreign):
    """Folder of a finished run that shows up to 60 movies; its weights are drawn so that scores lie apart."""
    folder = shutil.copytree(foreign, tmp_path_factory.mktemp("ranking") / "run")
    (folder / TASK_FILE).write_text(dump_task(ratings_task(SplitProtocol(history_length=60))), encoding="utf-8")
    path = folder / "adapter_model.safetensors"
    draw = torch.Generator().manual_seed(0)
    weights = {name: torch.randn(weight.shape, generator=draw) * 0.2 for name, weight in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def ranker(adapter):
    return Ranker.load(adapter)


@pytest.fixture
def no_model(monkeypatch):
    """Fail the test if a model is loaded."""

    def refuse(*arguments):
        raise AssertionError("a model was loaded")

    monkeypatch.setattr(loaded_run, "load_base", refuse)


def some_movies(count, seed=0):
    draw = np.random.default_rng(seed)
    words = ["River", "The Empire", "Garden", "The Machine", "Letter", "Harbour of Glass"]
    return [
        Movie(f"{draw.choice(words)} {number}", int(draw.integers(1930, 2020)), ["Drama", "War"][: draw.integers(3)])
        for number in range(count)
    ]


def some_history(count):
    return [RatedMovie(movie, 0.5 + place % 10 / 2) for place, movie in enumerate(some_movies(count, seed=1))]


def encoded_for(ranker, history, candidates):
    return ranker.builder.encode_all(ranker.records_of(history, candidates))


def within(ranker, budget):
    """A ranker whose forward passes may cost so much."""
    return replace(ranker, run=replace(ranker.run, plan=replace(ranker.run.plan, budget=budget)))


def alone(ranker, record):
    """P(Yes) of one record, with transformers' own causal mask."""
    ids = torch.from_numpy(ranker.builder.encode(record).input_ids).long()[None]
    with torch.no_grad():
        logits = ranker.run.model(input_ids=ids).logits[0, -1]
    return logits[list(ranker.builder.first_tokens)].softmax(-1)[0].item()


@pytest.mark.parametrize("length", [1, 12, 60], ids=["one movie", "a history", "more than fits"])
def test_a_ranking_is_what_one_record_after_another_gives(ranker, length):
    history, candidates = some_history(length), some_movies(12)
    records = ranker.records_of(history, candidates)
    assert (length == 60) == any(record.dropped_lines for record in ranker.builder.encode_all(records))
    titles = [movie.title for movie in candidates]
    expected = dict(zip(titles, (alone(ranker, record) for record in records), strict=True))
    assert max(expected.values()) - min(expected.values()) > 1e-3
    longest = max(len(record.input_ids) for record in ranker.builder.encode_all(records))
    for tokens in (longest + 60, 100_000):  # a few candidates a row, all in one row
        limited = within(ranker, Budget(tokens, ranker.run.plan.budget.attention_share))
        ranked = limited.rank(history, candidates)
        assert {one.candidate.title: one.p_yes for one in ranked} == pytest.approx(expected, rel=1e-5)
        assert [one.candidate.title for one in ranked] == sorted(titles, key=expected.__getitem__, reverse=True)


def told_of(data, protocol):
    """What a candidate of each user and movie may carry: what others had said, and what alike movies were liked."""
    timeline = count_earlier_ratings(build_timelines(data.ratings, protocol), protocol.like_threshold)
    timeline = add_tastes(timeline, data.items, protocol.like_threshold, rating_deviations(timeline))
    names = ["earlier_likes", "earlier_ratings", "liked_of_similar"]
    told = timeline.fill_nan(None).select("user_id", "item_id", *names).iter_rows()
    return timeline, {row[:2]: dict(zip(names, row[2:], strict=True)) for row in told}


@pytest.mark.parametrize("hints", ["", "long", "short"])
@pytest.mark.parametrize(
    ("window", "as_line"),
    [("anchored", False), ("anchored", True), ("sliding", False), ("3H", False), ("all", False), ("all", True)],
)
def test_the_question_is_the_one_of_the_training_records(ranker, hints, window, as_line):
    """Every row that `timelines` writes of a user comes out of what the user had rated before it."""
    protocol = SplitProtocol(3, 4, window, hints=bool(hints), short_hints=hints == "short", candidate_line=as_line)
    ranker = replace(ranker, task=ratings_task(protocol))
    movies = some_movies(30)
    ratings = [(1, place, 0.5 + place % 10 / 2, 100 + place) for place in range(len(movies))]
    ratings += [(2, place, 0.5 + place % 7 / 2, 50 + place) for place in range(len(movies))]
    types = {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float32, "timestamp": pl.Int64}
    table = {"title": [movie.title for movie in movies], "year": [movie.year for movie in movies]}
    table["details"] = [movie.genres for movie in movies]
    data = RatingTable(
        "invented",
        pl.DataFrame(ratings, schema=types, orient="row"),
        pl.DataFrame({"item_id": range(len(movies)), **table}, schema_overrides={"item_id": pl.Int32}),
    )
    timeline, told = told_of(data, protocol)
    rows = [row for split in SPLITS for row in make_rows(timeline, data, split, protocol)]
    rows = [row for row in rows if row["user_id"] == 1]
    assert len(rows) == len(movies) - protocol.warmup
    history = [RatedMovie(movie, rating) for movie, (*_, rating, _) in zip(movies, ratings, strict=False)]
    for row in rows:
        here = row["item_id"]
        (record,) = ranker.records_of(history[:here], [replace(movies[here], **told[1, here])])
        assert (record.instruction, record.input) == (row["instruction"], row["input"])


@pytest.mark.parametrize(
    ("words", "ratings"),
    [
        (Words("game", shows="quantity", verb="played", unit="hours", lowest=0, highest=9), [12.5, 0, 3]),
        (Words("game", shows="label", verb="clicked", lowest=0, highest=1), [1, 0, 1]),
        (Words("game", shows="nothing", verb="bought", lowest=0, highest=1), [None, None, None]),
    ],
    ids=["quantity", "label", "nothing"],
)
def test_what_is_implicit_or_labelled_is_asked_in_the_words_of_its_records(ranker, words, ratings):
    protocol = SplitProtocol(warmup=2, history_length=2, like_threshold=1)
    ranker = replace(ranker, task=ratings_task(protocol, words=words))
    types = {"user_id": pl.Int32, "item_id": pl.Int32, "rating": pl.Float64, "timestamp": pl.Int64}
    rows = [(1, place, 1 if rating is None else rating, place) for place, rating in enumerate(ratings)]
    items = pl.DataFrame(
        {
            "item_id": range(3),
            "title": ["Portal", "Doom", "Tetris"],
            "year": [2007, 1993, None],
            "details": [["3D"]] * 3,
        },
        schema_overrides={"item_id": pl.Int32},
    )
    data = RatingTable("invented", pl.DataFrame(rows, schema=types, orient="row"), items, words)
    (row,) = make_rows(build_timelines(data.ratings, protocol), data, "test", protocol)
    movies = [Movie(*rest) for _, *rest in items.rows()]
    history = [RatedMovie(movie, rating) for movie, rating in zip(movies[:2], ratings, strict=False)]
    (record,) = ranker.records_of(history, movies[2:])
    assert (record.instruction, record.input) == (row["instruction"], row["input"])
    assert "rated" not in record.instruction + record.input
    assert {key: record.extra[key] for key in ("history_likes", "history_length")} == {
        key: row[key] for key in ("history_likes", "history_length")
    }
    if words.shows != "nothing":
        for wrong in (None, -1):
            with pytest.raises(LikelyError, match="rating is"):
                ranker.records_of([RatedMovie(movies[0], wrong)], movies[2:])


def test_a_flag_cannot_be_forgotten_because_there_is_none(tmp_path, tiny_base, capsys):
    """A run prepared with hints, a threshold and a window of its own asks byte by byte what its records asked."""
    data = read_movielens(make_sample(tmp_path / "sample", users=6, ratings_per_user=30))
    options = ["--hints", "--like-threshold", "3.5", "--history-len", "4", "--window", "sliding"]
    assert run(["prepare", "--source", str(tmp_path / "sample"), "--output", str(tmp_path / "data"), *options]) == 0
    folder = trained(tmp_path, tiny_base, tmp_path / "data" / "train.json")
    ranker = Ranker.load(folder)
    protocol = SplitProtocol(hints=True, like_threshold=3.5, history_length=4, window="sliding")
    timeline, told = told_of(data, protocol)
    movies = {number: Movie(*rest) for number, *rest in data.items.select("item_id", "title", "year", "details").rows()}
    records = read_records(tmp_path / "data" / "train.json", ranker.builder.labels)
    asked = 0
    for record in records:
        user, item = int(record.user_id), int(record.item_id)
        rated = timeline.filter(pl.col("user_id") == user).select("item_id", "rating").rows()
        here = [movie for movie, _ in rated].index(item)
        history = [RatedMovie(movies[movie], rating) for movie, rating in rated[:here]]
        (again,) = ranker.records_of(history, [replace(movies[item], **told[user, item])])
        assert ranker.builder.render(again).encode() == ranker.builder.render(record).encode()
        asked += 1
    assert asked == len(records) > 50
    files = written(tmp_path)
    assert run([*files, "--run", str(folder)]) == 0
    assert run([*files, "--run", str(folder), "--hints"]) == 2


def test_a_run_on_records_of_ones_own_is_not_asked_about_movies(foreign, tmp_path, capsys, no_model):
    sentence = complaint(capsys, [*written(tmp_path), "--run", str(foreign)])
    assert "likely prepare did not write" in sentence


def test_a_run_of_an_earlier_version_ranks_once_its_preparation_is_copied_into_it(ranker, adapter, tmp_path, capsys):
    folder = shutil.copytree(adapter, tmp_path / "run")
    (folder / "task.json").unlink()
    sentence = complaint(capsys, [*written(tmp_path), "--run", str(folder)])
    assert "has no task.json" in sentence
    assert "copy preparation.json from beside the run's training file into it" in sentence
    protocol = dataclasses.asdict(ranker.task.protocol)
    (folder / "preparation.json").write_text(json.dumps({"dataset": "ml-1m", "protocol": protocol}))
    history, movies = some_history(3), some_movies(3)
    assert Ranker.load(folder).rank(history, movies) == ranker.rank(history, movies)
    assert run([*written(tmp_path), "--run", str(folder)]) == 0


def test_equal_candidates_keep_their_order(ranker):
    movies = some_movies(4)
    twice = [replace(movie, extra={"copy": copy}) for copy in range(2) for movie in movies]
    ranked = ranker.rank(some_history(5), twice)
    assert [one.candidate.extra["copy"] for one in ranked] == [0, 1] * 4
    assert len({one.candidate.title for one in ranked[::2]}) == 4


def test_top_is_the_beginning_of_the_whole_ranking(ranker):
    history, movies = some_history(5), some_movies(9)
    everything = ranker.rank(history, movies)
    assert [one.candidate for one in ranker.rank(history, movies, top=4)] == [one.candidate for one in everything[:4]]
    assert len(ranker.rank(history, movies, top=100)) == 9


@pytest.mark.parametrize(
    ("history", "candidates", "top", "words"),
    [
        ([], some_movies(1), None, "history is empty"),
        (some_history(1), [], None, "no candidates"),
        (some_history(1), some_movies(1), 0, "top is 0"),
    ],
)
def test_nothing_to_rank_is_said(ranker, history, candidates, top, words):
    with pytest.raises(LikelyError, match=words):
        ranker.rank(history, candidates, top)


def test_the_history_is_computed_once_for_many_candidates(ranker):
    computed = []
    history, movies = some_history(20), some_movies(40)
    ranker.rank(history, movies)  # which checks the layout, once
    embedding = ranker.run.model.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda module, inputs, output: computed.append(inputs[0].numel()))
    ranker.rank(history, movies)
    hook.remove()
    lengths = [len(record.input_ids) for record in ranker.builder.encode_all(ranker.records_of(history, movies))]
    assert sum(computed) < sum(lengths) / 4


@pytest.fixture
def hides(monkeypatch):
    """Hide in trees what is more than eight tokens away, as a model might whose windows nobody knows of."""
    return lambda: monkeypatch.setattr(masks, "reaches", lambda config: {"full_attention": Reach(window=8)})


def test_a_model_that_is_exact_in_padded_rows_only_ranks_in_those_and_says_so(adapter, hides, tmp_path, capsys):
    hides()
    output = tmp_path / "ranked.jsonl"
    assert run([*written(tmp_path), "--run", str(adapter), "--output", str(output)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert said.count("is not exact with batching: tree") == 1
    assert "so each record is scored in a row of its own" in said
    fresh = Ranker.load(adapter)
    history, movies = read_history(tmp_path / "history.json"), read_candidates(tmp_path / "candidates.json")
    expected = sorted((alone(fresh, record) for record in fresh.records_of(history, movies)), reverse=True)
    scores = [json.loads(line)["p_yes"] for line in output.read_text(encoding="utf-8").splitlines()]
    assert scores == pytest.approx(expected, rel=1e-5)


def test_a_model_of_a_family_that_shares_no_rows_ranks_in_padded_ones_and_says_so(adapter, monkeypatch):
    monkeypatch.setattr(families, "_obstacle_to_sharing_rows", lambda config: "Tiny has layers that are no attention")
    fresh = Ranker.load(adapter)
    assert fresh.run.plan.layout == "padded"
    assert fresh.run.notes == ("Scored padded instead of tree, because Tiny has layers that are no attention.",)


def test_a_history_is_computed_once_for_several_rows(ranker):
    computed = []
    history, movies = some_history(20), some_movies(40)
    longest = max(len(record.input_ids) for record in encoded_for(ranker, history, movies))
    narrow = within(ranker, Budget(longest + 100, ranker.run.plan.budget.attention_share))
    expected = ranker.rank(history, movies)
    found = narrow.rank(history, movies)  # which checks it, once
    embedding = ranker.run.model.get_input_embeddings()
    hook = embedding.register_forward_hook(lambda module, inputs, output: computed.append(inputs[0].numel()))
    assert narrow.rank(history, movies) == found
    hook.remove()
    assert len(computed) > 3
    assert all(width <= 120 for width in computed[1:])
    assert [one.candidate for one in found] == [one.candidate for one in expected]
    assert [one.p_yes for one in found] == pytest.approx([one.p_yes for one in expected], abs=1e-5)


def test_a_model_that_forgets_what_is_kept_computes_histories_in_every_row(adapter, ranker, monkeypatch):
    """As one might whose cache is of its own kind; it is found out and nobody has to know."""
    forget = kept_history.fill

    def fill(history, *others):
        forget(history, *others)
        for layer in history.layers:
            layer.values.zero_()

    monkeypatch.setattr(kept_history, "fill", fill)
    fresh, history, movies = Ranker.load(adapter), some_history(20), some_movies(40)
    longest = max(len(record.input_ids) for record in encoded_for(fresh, history, movies))
    found = within(fresh, Budget(longest + 100, 0.0)).rank(history, movies)
    assert [one.p_yes for one in found] == pytest.approx([one.p_yes for one in ranker.rank(history, movies)], abs=1e-5)
    assert fresh.run.notes == ()


def test_longer_prompts_than_before_are_checked_again(adapter, hides):
    fresh, movies = Ranker.load(adapter), some_movies(3)
    fresh.rank(some_history(3), movies)
    hides()
    fresh.rank(some_history(3), movies)
    assert fresh.run.notes == ()
    for length in (9, 12, 5):  # found once, and kept to
        ranked = fresh.rank(some_history(length), movies)
        expected = [alone(fresh, record) for record in fresh.records_of(some_history(length), movies)]
        assert [one.p_yes for one in ranked] == pytest.approx(sorted(expected, reverse=True), rel=1e-5)
        assert len(fresh.run.notes) == 1


def test_a_model_that_is_exact_in_no_layout_is_refused(adapter, hides, monkeypatch, tmp_path, capsys):
    hides()
    monkeypatch.setattr(self_check, "_fault", lambda model, sample, layout, *others: "it dreams")
    assert "is not exact with batching: tree (it dreams)" in complaint(
        capsys, [*written(tmp_path), "--run", str(adapter)]
    )


def test_progress_counts_to_the_end(ranker):
    seen = []
    one_a_row = within(ranker, Budget(1))
    one_a_row.rank(some_history(2), some_movies(5), on_progress=lambda *count: seen.append(count))
    assert seen == [(done, 5) for done in range(1, 6)]


@given(st.integers(20, 4000), st.floats(1e-5, 1e-2))
def test_no_other_row_is_cheaper(history, share):
    def cost(width):
        return width * (1 + share * width) / (width - history)

    best = cheapest_row(history, share)
    others = np.arange(history + 1, 4 * best)
    assert cost(best) <= (1 + 1e-9) * cost(others).min() + 1e-4 * cost(best)


def test_where_attention_skips_what_no_token_sees_a_row_takes_all_that_a_pass_may(ranker):
    encoded = encoded_for(ranker, some_history(3), some_movies(3))
    plan = PassPlan("tree", Budget(4096, attention_share=0.0), (0, 1))
    assert cheapest_plan(encoded, plan) == plan


@pytest.mark.parametrize(
    "changes", [{"flash_attn": "flash_attention_2", "batching": "packed"}, {"flash_attn": "flex_attention"}]
)
def test_an_adapter_trained_with_attention_for_gpus_ranks_anywhere(adapter, ranker, tmp_path, changes):
    """FlashAttention has no tree masks, and FlexAttention no kernels on a CPU; another gives the same scores."""
    copy = shutil.copytree(adapter, tmp_path / "run")
    values = config_of(adapter).model_dump(mode="json")
    values |= changes
    (copy / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    history, movies = some_history(3), some_movies(3)
    assert Ranker.load(copy).rank(history, movies) == ranker.rank(history, movies)


def written(folder, history=HISTORY, candidates=CANDIDATES):
    """Write the two files and return the command that ranks them."""
    arguments = ["rank"]
    for name, rows in (("history", history), ("candidates", candidates)):
        path = folder / f"{name}.json"
        if rows is not None:
            path.write_bytes(rows if isinstance(rows, bytes) else json.dumps(rows).encode())
        arguments += [f"--{name}", str(path)]
    return arguments


def test_files_give_the_movies_that_training_would_name(tmp_path):
    written(
        tmp_path,
        [{"title": "Matrix, The (1999)", "genres": "Action| Sci-Fi ", "rating": 4}],
        [{"title": " Babe ", "genres": "(no genres listed)", "year": None, "rating": "PG"}],
    )
    assert read_history(tmp_path / "history.json") == [RatedMovie(Movie("The Matrix", 1999, ("Action", "Sci-Fi")), 4)]
    (babe,) = read_candidates(tmp_path / "candidates.json")
    assert babe == Movie("Babe")
    assert babe.extra == {"rating": "PG"}


def test_the_command_shows_the_best_and_writes_all(adapter, ranker, tmp_path, capsys):
    output = tmp_path / "ranked[best].jsonl"
    arguments = [*written(tmp_path), "--adapter-dir", str(adapter), "--top", "2", "--output", str(output)]
    assert run(arguments) == 0
    ranked = ranker.rank(read_history(tmp_path / "history.json"), read_candidates(tmp_path / "candidates.json"))
    shown = capsys.readouterr().out
    assert f"Scores written to {output}." in shown
    assert [one.candidate.title in shown for one in ranked] == [True, True, False]
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    assert [line["rank"] for line in lines] == [1, 2, 3]
    assert [line["title"] for line in lines] == [one.candidate.title for one in ranked]
    assert [line["p_yes"] for line in lines] == pytest.approx([one.p_yes for one in ranked], rel=1e-6)
    (ronin,) = (line for line in lines if line["title"] == "Ronin")
    assert {key: ronin[key] for key in CANDIDATES[0]} == CANDIDATES[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["candidates.json", "history.json", output.name]


def test_the_former_name_of_the_command_works_and_is_not_advertised(adapter, tmp_path, capsys):
    assert run([*written(tmp_path), "--run", str(adapter)]) == 0
    shown = capsys.readouterr().out
    assert run(["score", *written(tmp_path)[1:], "--adapter-dir", str(adapter)]) == 0
    assert capsys.readouterr().out == shown
    assert run(["--help"]) == 0
    helped = capsys.readouterr().out
    assert " rank " in helped
    assert " score " not in helped


RATED = HISTORY[0]


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"history": None}, ["history.json does not exist"]),
        ({"candidates": None}, ["candidates.json does not exist"]),
        ({"history": b"[{"}, ["history.json is not JSON", "line 1"]),
        ({"history": b"\xff\xfe"}, ["history.json is not UTF-8"]),
        ({"history": {"title": "Heat"}}, ["history.json holds a dict"]),
        ({"history": []}, ["history.json holds an empty list"]),
        ({"candidates": []}, ["candidates.json holds an empty list"]),
        ({"history": [RATED, "Heat"]}, ["history.json, row 2", "a str where an object"]),
        ({"history": [RATED, {"rating": 4}]}, ["history.json, row 2", "'title' is missing"]),
        ({"candidates": [{"titel": "Heat"}]}, ["candidates.json, row 1", "'title' is missing", "did you mean titel?"]),
        ({"candidates": [{"title": 5}]}, ["candidates.json, row 1", "title is 5"]),
        ({"candidates": [{"title": " "}]}, ["candidates.json, row 1", "title is ''"]),
        ({"history": [{"title": "Heat"}]}, ["history.json, row 1", "'rating' is missing"]),
        ({"history": [{**RATED, "rating": "4"}]}, ["history.json, row 1", "rating is '4'"]),
        ({"history": [{**RATED, "rating": True}]}, ["history.json, row 1", "rating is True"]),
        ({"history": [{**RATED, "rating": None}]}, ["history.json, row 1", "rating is missing or no finite number"]),
        (
            {"candidates": [{"title": "Heat", "yaer": 1995}]},
            ["row 1", "'yaer' would not be read", "did you mean year?"],
        ),
        ({"candidates": [{"title": "Heat", "earlierLikes": 8, "earlierRatings": 9}]}, ["did you mean earlier_likes?"]),
        (
            {"candidates": [{"title": "Heat", "earlier_ratings": 9}]},
            ["only one of earlier_likes and earlier_rat"],
        ),
        ({"candidates": [{"title": "Heat", "liked_of_simlar": 0.5}]}, ["did you mean liked_of_similar?"]),
        ({"candidates": [{"title": "Heat", "genre": "Drama"}]}, ["row 1", "'genre' would", "did you mean genres?"]),
        ({"candidates": [{"title": "Heat", "details": ["Drama"]}]}, ["'details' would", "did you mean genres?"]),
        ({"history": [RATED, {**RATED, "rating": 0}]}, ["history.json, row 2", "rating is 0, outside 0.5 to 5"]),
        ({"history": [{**RATED, "rating": 5.5}]}, ["history.json, row 1", "rating is 5.5, outside 0.5 to 5"]),
        ({"history": [{**RATED, "rating": float("nan")}]}, ["history.json, row 1", "rating is nan, outside"]),
        ({"history": [{**RATED, "year": "1995"}]}, ["history.json, row 1", "year is '1995'"]),
        ({"candidates": [{"title": "Heat", "genres": 5}]}, ["candidates.json, row 1", "genres is 5"]),
        ({"candidates": [{"title": "Heat", "genres": [5]}]}, ["candidates.json, row 1", "genres is [5]"]),
    ],
)
def test_files_that_are_wrong(adapter, tmp_path, capsys, no_model, files, words):
    error = complaint(capsys, [*written(tmp_path, **files), "--adapter-dir", str(adapter)])
    assert all(word in error for word in words), error


def test_other_mistakes_come_before_the_model_too(adapter, tmp_path, capsys, no_model):
    files = written(tmp_path)
    assert "holds no adapter" in complaint(capsys, [*files, "--adapter-dir", str(tmp_path)])
    for output in (tmp_path, tmp_path / "missing" / "ranked.jsonl"):
        sentence = complaint(capsys, [*files, "--adapter-dir", str(adapter), "--output", str(output)])
        assert "written" in sentence
    assert run([*files, "--adapter-dir", str(adapter), "--top", "0"]) == 2


def complaint(capsys, arguments):
    """Run a command that has to fail as promised and return its sentence."""
    assert run(arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("likely: ")
    assert error.count("\n") == 1
    assert error.rstrip().endswith((".", "?"))
    return error


def test_details_are_spelled_as_training_spells_them(tmp_path):
    path = tmp_path / "candidates.json"
    path.write_text(json.dumps([{"title": "Emma", "genres": [" by  Jane\nAusten", "\t"]}]), encoding="utf-8")
    assert read_candidates(path) == [Movie("Emma", None, ("by Jane Austen",))]


@pytest.mark.parametrize("genres", ["Action|Crime", "Action, Crime", ["Action|Crime"], ["Action", "Crime", "Action"]])
def test_details_that_stand_in_one_text_are_as_many(genres):
    (movie,) = candidates_of([{"title": "Heat", "genres": genres}], "candidates", MOVIES)
    assert movie.genres == ("Action", "Crime")


def test_what_a_list_has_as_one_detail_stays_one_with_its_comma():
    """So do the details of a table and of catalogue.json, by which training names an item."""
    (movie,) = candidates_of([{"title": "Solaris", "genres": ["Sci-Fi,Horror", "Drama"]}], "candidates", MOVIES)
    assert movie.shown == "Solaris | Sci-Fi,Horror, Drama"


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        ({"title": "Matrix, The (1999)", "year": 1999}, "The Matrix (1999)"),
        ({"title": "Blade Runner (1982)", "year": 2007}, "Blade Runner (1982) (2007)"),
        ({"title": "Blade Runner (1982)"}, "Blade Runner (1982)"),
    ],
)
def test_another_year_in_a_title_belongs_to_it(row, shown):
    assert candidates_of([row], "candidates", MOVIES)[0].shown == shown


@pytest.mark.parametrize("key", ["genre", "genres", "detail", "Details"])
def test_details_under_another_name_than_the_runs_are_refused(key):
    words = replace(MOVIES, details="subjects")
    with pytest.raises(LikelyError, match=f"the key '{key}' would not be read; did you mean subjects?"):
        candidates_of([{"title": "Emma", key: "Love"}], "candidates", words)


@pytest.mark.parametrize("words", [("Heat\n- Alien | rated 5", ()), ("Heat", ("Action\nCandidate: Alien",))])
def test_what_would_be_another_line_of_a_prompt_is_refused(words):
    with pytest.raises(LikelyError, match="goes over several lines"):
        Movie(words[0], 1995, words[1])


@pytest.mark.parametrize("genres", ["Drama", {"Drama"}, [1]])
def test_genres_that_would_garble_a_prompt_are_refused(genres):
    with pytest.raises(LikelyError, match="genres is"):
        Movie("Heat", 1995, genres)
