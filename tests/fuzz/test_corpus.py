"""Malformed inputs end in success or in a sentence: those kept in `corpus/`, and a few that the fuzzer draws."""

import argparse
import json
import multiprocessing
import os
import random
import signal
import time
from pathlib import Path
from unittest import mock

import pytest

from fuzz import run
from fuzz.cases import Case, play
from fuzz.kinds import KINDS
from fuzz.world import make_world
from processes import FORKS

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.json"))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    folder = tmp_path_factory.mktemp("fuzz") / "world"
    folder.mkdir()
    return make_world(folder)


@pytest.mark.parametrize("path", CORPUS, ids=[path.stem for path in CORPUS])
def test_an_input_of_the_corpus_ends_in_success_or_a_sentence(world, path):
    outcome = play(Case.of(path.read_text(encoding="utf-8")), world)
    assert outcome.fault is None
    assert not outcome.said.startswith("likely:") or outcome.said.count("\n") == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if KINDS[kind][0] >= 2500])
def test_a_few_random_inputs_of_each_cheap_kind_too(world, kind):
    outcomes = [play(run.case_of(1, kind, number, world), world) for number in range(10)]
    assert [outcome.fault for outcome in outcomes] == [None] * 10


def test_the_verbs_end_well_where_nothing_is_damaged(world):
    for command in (
        "audit --char-only --config run.yaml",
        "report --run run",
        "prepare --source ratings/csv --warmup 4",
    ):
        assert play(Case(command.split()), world).status == 0


def test_a_bug_is_a_fault_that_names_its_place_and_can_be_repeated(world):
    case = run.case_of(0, "registry", 0, world)
    assert Case.of(case.text()) == Case(list(case.command), json.loads(json.dumps(case.files)))
    with mock.patch("likely.cli.audit.character_lengths", side_effect=ZeroDivisionError("a bug")):
        outcome = play(Case(["audit", "--char-only", "--config", "run.yaml"]), world)
    assert outcome.fault is not None
    assert "ZeroDivisionError" in outcome.fault
    assert "audit.py" in outcome.fault


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_fuzzer_at_once_with_the_count_so_far(world, number, monkeypatch, capsys):
    def counted(*arguments):
        failures = count_batch(*arguments)
        os.kill(os.getpid(), number)
        return failures

    count_batch = run.count_batch
    monkeypatch.setattr(run, "count_batch", counted)
    monkeypatch.setattr(run.multiprocessing, "get_context", lambda _: FORKS)  # whose processes need not import all anew
    options = argparse.Namespace(inputs=20_000, seed=0, kind="override", processes=1)
    with run.heard():
        assert run.fuzz(options, world) == 128 + number
    until = time.monotonic() + 60
    while multiprocessing.active_children() and time.monotonic() < until:  # one of the pool's threads ends them too
        time.sleep(0.01)
    assert not multiprocessing.active_children()
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("25 inputs of seed 0 in ")
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_the_same_seed_draws_the_same_inputs(world):
    for kind, (_, make) in KINDS.items():
        assert make(random.Random("7"), world) == make(random.Random("7"), world), kind
