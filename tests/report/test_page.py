"""The report is one page for anybody: complete, honest, safe whatever a movie is called, the same each time."""

import io
import json
import math
import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise

import numpy as np
import pytest
from rich.console import Console

from likely.data.question import show_question
from likely.data.records import Record
from likely.data.wording import show_item, show_rated
from likely.errors import LikelyError
from likely.evaluation.contest import Estimate, Evaluation, System, SystemResult
from likely.evaluation.metrics import METRICS, probability_metrics
from likely.evaluation.strata import strata_of
from likely.report.facts import RunFacts, facts_of
from likely.report.page import write_report
from likely.report.terminal import results_table
from likely.report.words import outcome_sentences

ODD = ["<script>alert('x')</script>", 'Lock, "Stock" & Two', "千と千尋の神隠し", "$9.99 $x_1$", "</style><b>", "Amélie"]
VOID = {"meta", "link", "br", "img", "hr", "input"}
TRAINED = {
    "best_step": 8,
    "eval": {"eval_loss": 0.6, "eval_auc": 0.75, "eval_accuracy": 0.7},
    "train": {"records": 64, "steps": 8, "seconds": 90.0},
    "versions": {"torch": "2.13.0"},
    "python": "3.11.7",
    "saving": "7.7x & more",
    "log": [
        {"loss": 0.9, "step": 4},
        {"loss": None, "step": 6},
        {"loss": 0.7, "step": 8},
        {"eval_loss": 0.6, "eval_auc": 0.75, "step": 8},
    ],
}
FACTS = RunFacts('Run "1" & <2>', {"seed": 42, "run_name": "</pre><i>ü"}, TRAINED, {"torch": "2.13.0"}, "today")


class Page(HTMLParser):
    """Everything that is looked for in a page, and a check that what opens is closed in order."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.attributes, self.headings, self.rows, self.words = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append("")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append([tag, ""])

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            return
        self.words.append(data)
        if "tr" in self.open:
            self.rows[-1] += data
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            self.headings[-1][1] += data

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def result(name, kind, liked, p_yes, users, difference=None):
    metrics = probability_metrics(liked, p_yes, users)
    width = 0.05 if len(set(users)) > 1 else math.nan
    interval = {name: (metrics[name] - width, metrics[name] + width) for name in ("accuracy", "f1", "auc", "uauc")}
    if difference is not None:
        difference = Estimate(*difference) if len(set(users)) > 1 else Estimate(difference[0])
    return SystemResult(System.from_probabilities(name, kind, p_yes), metrics, interval, difference)


def make_evaluation(difference=(-0.02, -0.07, 0.03), rows=60, users=12):
    random = np.random.default_rng(0)
    liked = random.random(rows) < 0.6
    of_users = [f"user{row % users}" for row in range(rows)]
    records = [
        Record(
            "Liked?",
            show_question(
                [show_rated(show_item(title, 1999, ["Drama"]), 4) for title in ODD],
                show_item(ODD[row % len(ODD)], None, []),
            ),
            "Yes" if liked[row] else "No",
            user_id=of_users[row],
            item_id=str(row % 7),
            extra={"history_length": 8 + row % 9},
        )
        for row in range(rows)
    ]

    def guess(noise):
        return 1 / (1 + np.exp(-(liked - 0.5 + random.normal(0, noise, rows))))

    results = [
        result("always <Yes>", "baseline", liked, np.ones(rows), of_users, (-0.2, -0.3, -0.1)),
        result('item "like-rate" & co', "baseline", liked, guess(0.4), of_users),
        result("base some/model", "base", liked, guess(2.0), of_users, (-0.1, -0.2, -0.05)),
        result("with the adapter", "adapter", liked, guess(0.6), of_users, difference),
        result("adapter + LightGBM", "fusion", liked, guess(0.5), of_users, (0.01, -0.01, 0.02)),
    ]
    evaluation = Evaluation(records, liked, of_users, results, results[1].system.name)
    train = [Record("Liked?", "", "Yes", user_id="user1", item_id=str(item % 4)) for item in range(30)]
    return replace(evaluation, strata=strata_of(evaluation, train))


def with_answer(evaluation):
    """The same with what a run keeps as its answer, and its part without the language model."""
    adapter = evaluation.first_of("adapter")
    counting = replace(adapter, system=replace(adapter.system, name="counting alone", kind="counting"))
    answer = replace(adapter, system=replace(adapter.system, name="the run's answer", kind="answer"))
    worth = {"counting alone": Estimate(0.004, 0.001, 0.007)}
    mixes = [counting, replace(answer, differences=worth)]
    strata = [
        replace(one, areas={**one.areas, **{mix.system.name: one.areas[adapter.system.name] for mix in mixes}})
        for one in evaluation.strata
    ]
    return replace(evaluation, results=[*evaluation.results, *mixes], strata=strata)


def without(evaluation, *kinds):
    return replace(evaluation, results=[s for s in evaluation.results if s.system.kind not in kinds])


def unknown(evaluation):
    """The same answers where nothing could be computed."""
    return replace(
        evaluation,
        liked=np.ones_like(evaluation.liked),
        results=[
            replace(
                s,
                metrics=dict.fromkeys(s.metrics, math.nan),
                intervals=dict.fromkeys(s.intervals, (math.nan, math.nan)),
                difference=s.difference and Estimate(math.nan),
            )
            for s in evaluation.results
        ],
    )


def bare(evaluation):
    """Records as from anywhere: no ids, no lengths, no lines."""
    records = [Record("Liked?", "", record.output) for record in evaluation.records]
    return replace(evaluation, records=records, strata=[], users=[f"row {row}" for row in range(len(records))])


EVALUATION = make_evaluation()
CASES = {
    "whole": (FACTS, EVALUATION),
    "an answer": (FACTS, with_answer(EVALUATION)),
    "just trained": (FACTS, None),
    "no training": (replace(FACTS, metrics={}, versions={}, config={}), EVALUATION),
    "nothing at all": (replace(FACTS, metrics={}, versions={}, config={}), None),
    "no adapter": (FACTS, without(EVALUATION, "adapter", "fusion")),
    "baselines only": (FACTS, without(EVALUATION, "adapter", "base", "fusion")),
    "no baselines": (FACTS, replace(without(EVALUATION, "baseline"), best_baseline="")),
    "nan": (replace(FACTS, metrics={**TRAINED, "eval": {"eval_auc": None}, "best_step": None}), unknown(EVALUATION)),
    "nan without adapter": (FACTS, without(unknown(EVALUATION), "adapter", "base", "fusion")),
    "one user": (FACTS, make_evaluation(users=1)),
    "one row": (FACTS, make_evaluation(rows=1, users=1)),
    "foreign records": (replace(FACTS, item_counts={}), bare(EVALUATION)),
    "no evaluation": (replace(FACTS, metrics={**TRAINED, "eval": {}, "best_step": None, "log": []}), None),
}


@pytest.fixture(scope="module")
def texts(tmp_path_factory):
    """The page of each case, written once."""
    folder = tmp_path_factory.mktemp("reports")
    for name, (facts, evaluation) in CASES.items():
        write_report(folder / f"{name}.html", facts, evaluation)
    assert sorted(path.stem for path in folder.iterdir()) == sorted(CASES)
    return {name: (folder / f"{name}.html").read_text(encoding="utf-8") for name in CASES}


@pytest.mark.parametrize("case", CASES)
def test_any_run_gives_a_page_that_is_well_formed_and_accessible(texts, case):
    page = Page(texts[case])
    assert texts[case].startswith('<!DOCTYPE html>\n<html lang="en">')
    levels = [int(tag[1]) for tag, _ in page.headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert "nan" not in re.sub("[a-z]nan|nan[a-z]", "", page.text.lower())
    assert "None" not in page.text
    drawings = [svg for svg in re.findall("<svg[^>]*>", texts[case]) if 'aria-hidden="true"' not in svg]
    assert all('role="img"' in svg and re.search('aria-label="[^"]+"', svg) for svg in drawings)
    assert page.tags.count("th") == sum(name == "scope" for tag, name, _ in page.attributes if tag == "th")


@pytest.mark.parametrize("case", CASES)
def test_the_page_runs_no_script_and_fetches_nothing(texts, case):
    page = Page(texts[case])
    assert not {"script", "link", "img", "iframe", "object", "base", "form"} & set(page.tags)
    for _, name, value in page.attributes:
        assert not name.startswith("on")
        if name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert value.startswith("#")
    assert "@import" not in texts[case]
    assert "://" not in texts[case]
    assert all(target.startswith("#") for target in re.findall(r"url\(([^)]*)\)", texts[case]))


def test_ids_are_unique_and_every_reference_inside_the_page_has_its_target(texts):
    ids = re.findall(r'\bid="([^"]+)"', texts["whole"])
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:href="|url\()#([^")]+)', texts["whole"])) == set(ids)


def test_names_and_titles_are_shown_as_they_are(texts):
    page = Page(texts["whole"])
    for shown in [*ODD, FACTS.title, '"like-rate" & co', "7.7x & more", "</pre><i>ü"]:
        assert shown in page.text
    assert "i" not in page.tags
    assert "b" not in page.tags


def test_half_a_character_does_not_spoil_the_page(tmp_path):
    write_report(tmp_path / "report.html", replace(FACTS, title="half \ud83d"), None)
    assert "half ?" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_the_table_has_every_system_with_all_its_figures(texts):
    rows = Page(texts["whole"]).rows
    for result in EVALUATION.results:
        row, in_strata = [row for row in rows if result.system.name in row]
        for stratum in EVALUATION.strata:
            assert f"{stratum.areas[result.system.name].value:.3f}" in in_strata
        for name in ("accuracy", "f1", "auc", "uauc", "log_loss", "ece"):
            assert f"{result.metrics[name]:.3f}" in row
        low, high = result.intervals["auc"]
        assert f"{low:.2f}–{high:.2f}" in row


def test_bold_is_the_best_of_its_column(texts):
    bold = re.findall("<strong>([0-9.]+)</strong>", texts["whole"][: texts["whole"].index("</table>")])
    best = [
        f"{metric.best(s.metrics[metric.name] for s in EVALUATION.results):.3f}"
        for metric in METRICS.values()
        if metric.best and metric.name != "loss"
    ]
    assert sorted(set(bold)) == sorted(set(best))


@pytest.mark.parametrize(
    ("difference", "said", "unsaid"),
    [
        ((0.031, 0.01, 0.05), ["0.031 above the best baseline", "more than noise, in its favour"], "within noise"),
        ((-0.031, -0.05, -0.01), ["0.031 below the best baseline", "to its disadvantage"], "within noise"),
        ((0.031, -0.01, 0.07), ["0.031 above", "within noise: its 95% interval is −0.010 to +0.070"], "more than"),
        ((0.0, -0.01, 0.01), ["level with the best baseline", "within noise"], "more than"),
        ((0.031, math.nan, math.nan), ["0.031 above", "noise is unknown"], "95% interval is"),
    ],
    ids=["better", "worse", "undecided", "level", "unknown"],
)
def test_the_summary_says_better_or_worse_only_where_the_interval_does(difference, said, unsaid):
    lead = outcome_sentences(make_evaluation(difference))[0]
    assert lead.startswith("On 60 rows of 12 users the adapter has an AUC of ")
    for words in said:
        assert words in lead
    assert unsaid not in lead


def test_of_one_user_no_interval_is_shown_and_nothing_is_decided(texts):
    text = Page(texts["one user"]).text
    assert "95%" not in text.partition("Probabilities")[0]
    assert "noise is unknown" in text
    assert "within noise" not in text
    assert "more than noise" not in text
    assert "60 rows of 1 user" in text


def test_a_base_model_that_does_not_answer_is_named():
    base = EVALUATION.results[2]
    silent = replace(base, metrics={**base.metrics, "answered": 0.008})
    evaluation = replace(EVALUATION, results=[*EVALUATION.results[:2], silent, *EVALUATION.results[3:]])
    assert any("one of the two answers to 0.8% of the rows" in said for said in outcome_sentences(evaluation))
    assert not any("an answer of" in said for said in outcome_sentences(EVALUATION))


@pytest.mark.parametrize(
    ("case", "there", "missing"),
    [
        ("whole", ["Systems", "ROC curves", "Calibration", "Spread of P(Yes)", "Loss"], []),
        ("whole", ["By what training saw"], []),
        ("foreign records", [], ["By what training saw"]),
        ("whole", ["By history length", "By popularity of the movie", "Most confident mistakes"], []),
        ("just trained", ["Training", "Configuration and versions"], ["Systems", "Most confident mistakes"]),
        ("no training", ["Systems"], ["Training", "Configuration and versions"]),
        ("no adapter", ["Systems", "Spread of P(Yes)"], ["Most confident mistakes"]),
        ("baselines only", ["Systems", "Spread of P(Yes)"], ["Most confident mistakes"]),
        ("nan", ["Systems", "Calibration"], ["ROC curves"]),
        ("foreign records", ["Systems", "ROC curves"], ["By history length", "By popularity of the movie"]),
    ],
)
def test_a_page_has_the_sections_that_its_run_has_something_for(texts, case, there, missing):
    headings = [text for _, text in Page(texts[case]).headings]
    assert set(there) <= set(headings)
    assert not set(missing) & set(headings)


def test_the_mistakes_are_the_ten_most_confident_ones_with_the_end_of_their_histories(texts):
    p_yes = EVALUATION.results[3].system.p_yes
    wrong = sorted(
        (-abs(p - 0.5), f"{p:.3f}") for p, liked in zip(p_yes, EVALUATION.liked, strict=True) if (p >= 0.5) != liked
    )
    shown = texts["whole"].partition("Most confident mistakes")[2]
    assert re.findall("P\\(Yes\\) ([0-9.]+)</strong>", shown) == [text for _, text in wrong[:10]]
    first = Page(shown[shown.index("<li>") : shown.index("</li>") + 5]).text
    assert [title in first.partition("Candidate: ")[0] for title in ODD] == [False, False, True, True, True, True]


def test_the_same_run_gives_the_same_page(tmp_path, texts):
    write_report(tmp_path / "again.html", *CASES["whole"])
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == texts["whole"]


def test_popularity_is_counted_in_the_training_records_where_they_are_known(tmp_path, texts):
    counts = {str(item): 10**item for item in range(1, 7)}
    write_report(tmp_path / "report.html", replace(FACTS, item_counts=counts), EVALUATION)
    text = Page((tmp_path / "report.html").read_text(encoding="utf-8")).text
    assert "training records with the movie" in text
    assert "0–10" in text
    assert "rows of this comparison with the movie" in Page(texts["whole"]).text


def test_where_nobody_knows_whose_rows_they_are_no_users_are_counted(texts):
    text = Page(texts["foreign records"]).text
    assert "On 60 rows the adapter has" in text
    assert "by resampling rows" in text
    assert "60 users" not in text


def test_the_facts_of_a_run_are_what_its_folder_holds(tmp_path):
    (tmp_path / "config.yaml").write_text("run_name: null\nseed: 42\n", encoding="utf-8")
    facts = facts_of(tmp_path)
    assert (facts.title, facts.config["seed"], facts.metrics) == (tmp_path.name, 42, {})
    (tmp_path / "metrics.json").write_text(json.dumps(TRAINED), encoding="utf-8")
    facts = facts_of(tmp_path)
    assert facts.metrics == TRAINED
    assert facts.versions == {"torch": "2.13.0", "python": "3.11.7"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", facts.made)


@pytest.mark.parametrize(
    ("name", "content"), [("config.yaml", "a: ["), ("config.yaml", "7"), ("metrics.json", "{"), ("metrics.json", "[]")]
)
def test_a_folder_without_a_run_or_with_a_damaged_one_is_named(tmp_path, name, content):
    with pytest.raises(LikelyError, match=re.escape(str(tmp_path))):
        facts_of(tmp_path)
    (tmp_path / "config.yaml").write_text("seed: 42\n")
    (tmp_path / name).write_text(content)
    with pytest.raises(LikelyError, match=re.escape(str(tmp_path))):
        facts_of(tmp_path)


def test_what_steers_a_terminal_or_turns_the_text_is_not_in_the_page(tmp_path):
    hostile = [replace(r, user_id="\x1b[2Ja\u202eb", input=f"{r.input}\x00\x9b") for r in EVALUATION.records]
    facts = replace(FACTS, title="run\x07\u2066", config={"run_name": "\x1b]0;"})
    write_report(tmp_path / "report.html", facts, replace(EVALUATION, records=hostile))
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "user [2Jab" in text
    assert not set(text) & set("\x00\x07\x1b\x9b\u202e\u2066")


def test_a_report_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LikelyError, match=r"report\.html cannot be written"):
        write_report(tmp_path / "file" / "report.html", FACTS, None)


@pytest.mark.parametrize("difference", [(0.031, 0.01, 0.05), (-0.031, -0.05, -0.01)])
def test_of_few_users_no_interval_decides(difference):
    lead = outcome_sentences(make_evaluation(difference, users=6))[0]
    assert "noise is unknown: its 95% interval is" in lead
    assert "of so few users it is too narrow" in lead


def test_liked_shares_are_spoken_of_only_where_histories_say_them(tmp_path):
    plain = make_evaluation()
    told = [replace(one, extra={**one.extra, "history_likes": 3}) for one in plain.records]
    for evaluation, is_said in ((plain, False), (replace(plain, records=told), True)):
        write_report(tmp_path / "page.html", FACTS, evaluation)
        page = (tmp_path / "page.html").read_text(encoding="utf-8")
        assert ("pushed below 0.5" in page) == is_said
        printed = Console(file=io.StringIO(), width=200, record=True)
        printed.print(results_table(evaluation))
        assert ("pushed below 0.5" in " ".join(printed.export_text().split())) == is_said


def test_notes_stand_on_the_page(tmp_path):
    evaluation = replace(make_evaluation(), notes=["The rows are those of <others>.json."])
    write_report(tmp_path / "page.html", FACTS, evaluation)
    assert "The rows are those of <others>.json." in Page((tmp_path / "page.html").read_text(encoding="utf-8")).text


def test_where_a_run_keeps_an_answer_it_comes_first_and_then_what_the_language_model_is_worth(texts):
    text = Page(texts["an answer"]).text
    lead = text[text.index("On 60 rows of 12 users the run's answer has an AUC") :]
    worth = "The language model adds +0.004 AUC (+0.001 to +0.007) to counting on these rows."
    assert lead.index(worth) < lead.index("The adapter has an AUC")
    assert worth not in Page(texts["whole"]).text
