"""A run that was stopped or killed goes on to the very end it would have come to, and its best weights are there."""

import json
import signal
from functools import cache, partial

import pytest
import torch
from safetensors.torch import load_file
from transformers import TrainerCallback

from likely.errors import LikelyError
from likely.model.adapter import ADAPTER_WEIGHTS
from likely.training.callbacks import (
    Clock,
    EvaluateAtEnd,
    GoOn,
    KeepBest,
    StopAfter,
    StopOnRequest,
    StopWithoutBetter,
    evaluations_since_best,
)
from likely.training.checkpoints import STATE, checkpoint_of, newest_whole, step_of
from likely.training.stopping import StopRequest
from tiny_trainer import fresh_model, trainer_for

BEST_IN_THE_MIDDLE = {2: 0.7, 3: 0.69, 4: 0.5, 6: 0.6, 8: 0.65, 9: 0.66}
"""A loss for every step at which a run of 9 steps may be evaluated; the best is that of step 4 (of 6, by epochs)."""


NOBODY = StopRequest()


@pytest.fixture(scope="module")
def build(tiny_base, builder, records):
    """Build a trainer of 9 steps in 3 epochs whose evaluations are known beforehand."""
    encoded = builder.encode_all(records[:5])

    def built(folder, strategy="steps", request=NOBODY, resumed=False, more=(), **args):
        callbacks = [KeepBest("eval_loss", False), *more, EvaluateAtEnd(), StopOnRequest(request)]
        defaults = {"num_train_epochs": 3, "learning_rate": 1e-2, "logging_steps": 3, "eval_steps": 2, "save_steps": 5}
        defaults |= {
            "per_device_train_batch_size": 2,
            "eval_strategy": strategy,
            "save_strategy": strategy if strategy != "no" else "steps",
        }
        trainer = trainer_for(
            fresh_model(tiny_base, dropout=0.1),
            builder,
            encoded,
            "tree",
            folder,
            callbacks=[*callbacks, *([GoOn()] if resumed else [])],
            **{**defaults, **args},
        )
        trainer.metrics_of = lambda answers: {"loss": BEST_IN_THE_MIDDLE[trainer.state.global_step]}
        return trainer

    return built


@pytest.fixture
def make(build, tmp_path):
    return partial(build, tmp_path / "run")


@pytest.fixture(scope="module")
def whole(build, tmp_path_factory):
    """Return the run of a strategy that nobody stopped."""

    @cache
    def ended(strategy):
        trainer = build(tmp_path_factory.mktemp("whole"), strategy)
        trainer.train()
        return trainer

    return ended


def resume(trainer):
    trainer.train(resume_from_checkpoint=str(newest_whole(trainer.output_dir)[0]))
    return trainer


def history(trainer):
    """The log without what the clock decides."""
    timed = ("runtime", "per_second", "train_loss", "total_flos")
    kept = [{k: v for k, v in entry.items() if not k.endswith(timed)} for entry in trainer.state.log_history]
    return [entry for entry in kept if len(entry) > 2]


def weights(trainer):
    return {n: p.detach().clone() for n, p in trainer.model.named_parameters() if p.requires_grad}


def same(one, other):
    return all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("strategy", "best", "saved"), [("steps", 4, [2, 4, 5, 9]), ("epoch", 6, [3, 6, 9])])
def test_the_best_evaluation_leaves_its_weights(build, whole, strategy, best, saved):
    ended = whole(strategy)
    assert sorted(step_of(path) for path in ended.output_dir.glob("checkpoint-*")) == saved
    assert ended.state.best_global_step == best
    trainer = build(ended.output_dir, strategy)  # so that the ended one keeps its last weights
    trainer.state = ended.state
    trainer.load_best()
    assert not same(weights(trainer), weights(ended))
    kept = load_file(checkpoint_of(trainer.output_dir, best) / ADAPTER_WEIGHTS)
    assert same({name.replace(".default", ""): weight for name, weight in weights(trainer).items()}, kept)


def test_metrics_of_ones_own_without_the_one_to_compare_by_are_refused(build, tmp_path):
    trainer = build(tmp_path)
    trainer.metrics_of = lambda answers: {"auc": 0.5}
    with pytest.raises(LikelyError, match=r'has no eval_loss.*let metrics_of return "loss"'):
        trainer.train()


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_every_run_is_evaluated_once_at_its_end(whole, strategy):
    steps = [entry["step"] for entry in whole(strategy).state.log_history if "eval_loss" in entry]
    assert steps == {"steps": [2, 4, 6, 8, 9], "epoch": [3, 6, 9]}[strategy]


@pytest.mark.parametrize(
    ("strategy", "step"),
    [("steps", 3), ("steps", 6), ("steps", 9), ("epoch", 6), ("no", 7)],
)
def test_a_run_that_was_stopped_ends_as_if_it_had_not_been(make, whole, strategy, step):
    """Stopped where nothing, an evaluation or the end was due."""
    request = StopRequest()
    stopped = make(strategy, request, more=[At("on_step_end", step, lambda: ask(request))])
    stopped.train()
    assert stopped.state.global_step == step
    assert newest_whole(stopped.output_dir)[0] == checkpoint_of(stopped.output_dir, step)
    evaluated = [entry["step"] for entry in stopped.state.log_history if "eval_loss" in entry]
    assert step not in evaluated  # whoever stops it does not wait for an evaluation
    resumed, expected = resume(make(strategy, resumed=True)), whole(strategy)
    assert same(weights(resumed), weights(expected))
    evaluations = [[entry for entry in history(t) if "eval_loss" in entry] for t in (expected, resumed)]
    assert evaluations[0] == evaluations[1]
    assert resumed.state.best_global_step == expected.state.best_global_step
    assert resumed.state.best_metric == expected.state.best_metric


class At(TrainerCallback):
    """Does something when an event comes at a step."""

    def __init__(self, event, step, action):
        def when_there(args, state, control, **kwargs):
            if state.global_step == step:
                action()

        setattr(self, event, when_there)


def ask(request):
    request.by = signal.SIGTERM


def kill():
    raise KilledError


class KilledError(Exception):
    pass


@pytest.mark.parametrize(("strategy", "step"), [("steps", 4), ("epoch", 6)])
def test_a_request_in_an_evaluation_keeps_that_evaluation(make, strategy, step):
    request = StopRequest()
    stopped = make(strategy, request, more=[At("on_evaluate", step, lambda: ask(request))])
    stopped.train()
    assert stopped.state.global_step == step
    state = json.loads((checkpoint_of(stopped.output_dir, step) / STATE).read_text())
    assert state["log_history"][-1]["eval_loss"] == BEST_IN_THE_MIDDLE[step]


@pytest.mark.parametrize("strategy", ["steps", "epoch"])
def test_a_run_resumed_from_a_saved_step_logs_what_it_would_have(build, tmp_path, strategy):
    make = partial(build, strategy=strategy, logging_steps=4)
    whole = make(tmp_path / "whole")
    whole.train()
    with pytest.raises(KilledError):
        make(tmp_path / "run", more=[At("on_step_end", 7, kill)]).train()
    assert history(resume(make(tmp_path / "run", resumed=True))) == history(whole)


def test_a_run_that_had_come_to_its_end_takes_no_further_step(make):
    """Killed after the evaluation that exhausted its patience, and before the adapter was written."""
    ended = make(more=[StopWithoutBetter(1, "eval_loss", False)], save_steps=2)
    ended.train()
    assert ended.state.global_step == 6
    resumed = resume(make(more=[StopWithoutBetter(1, "eval_loss", False)], save_steps=2, resumed=True))
    assert (resumed.state.global_step, resumed.state.best_global_step) == (6, 4)
    patient = resume(make(more=[StopWithoutBetter(9, "eval_loss", False)], save_steps=2, resumed=True))
    assert patient.state.global_step == 9


def test_a_run_that_had_come_to_its_end_within_an_epoch_takes_no_further_step(make):
    """Asked to stop in its last step, which is the second of an epoch of three."""
    request = StopRequest()
    make("steps", request, more=[At("on_step_end", 8, lambda: ask(request))], max_steps=8).train()
    resumed = resume(make(max_steps=8, resumed=True))
    assert resumed.state.global_step == 8
    assert max(entry["step"] for entry in resumed.state.log_history if "eval_loss" in entry) == 8


def test_a_run_whose_patience_ends_is_saved_there(make):
    """Whatever the interval of checkpoints; that of step 5 is the last one by it."""
    ended = make(more=[StopWithoutBetter(1, "eval_loss", False)])
    ended.train()
    assert newest_whole(ended.output_dir)[0] == checkpoint_of(ended.output_dir, 6)


def test_time_before_a_resume_counts(make):
    timed = make(more=[StopAfter(1, Clock(before=30))], num_train_epochs=1)
    timed.train()
    assert timed.state.global_step == 3
    over = make(more=[StopAfter(1, Clock(before=61))])
    over.train()
    assert over.state.global_step == 0


class EachStepTakes(TrainerCallback):
    """A clock on which nothing takes time but the steps."""

    def __init__(self, seconds):
        self.each, self.steps = seconds, 0

    def seconds(self):
        return self.each * self.steps

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        self.steps += 1


def rates_of(make, seconds, **args):
    """Return the learning rate of every step of a run of 9 that has a minute."""
    clock = EachStepTakes(seconds)
    trainer = make(more=[clock, StopAfter(1, clock)], logging_steps=1, **args)
    trainer.train()
    return [entry["learning_rate"] for entry in trainer.state.log_history if "learning_rate" in entry]


def test_where_the_time_is_short_the_learning_rate_comes_down_with_it(make):
    """Steps of 15 seconds: four fit into the minute, so the rate comes down in four."""
    assert rates_of(make, 15) == pytest.approx([1e-2 * (1 - step / 4) for step in range(4)])


def test_where_the_time_is_long_the_schedule_is_that_of_the_steps(make):
    assert rates_of(make, 1) == pytest.approx([1e-2 * (1 - step / 9) for step in range(9)])


def test_new_intervals_and_a_new_rate_are_obeyed(make):
    with pytest.raises(KilledError):
        make(more=[At("on_step_end", 6, kill)]).train()
    resumed = resume(make(logging_steps=1, eval_steps=3, learning_rate=1e-3, resumed=True))
    log = [entry for entry in history(resumed) if entry["step"] > 5]
    assert [entry["step"] for entry in log if "learning_rate" in entry] == [6, 7, 8, 9]
    assert [entry["step"] for entry in log if "eval_loss" in entry] == [6, 9]
    rates = [entry["learning_rate"] for entry in log if "learning_rate" in entry]
    assert rates == pytest.approx([1e-3 * (1 - step / 9) for step in range(5, 9)])


def test_more_epochs_draw_the_schedule_over_all_of_them(make):
    make(num_train_epochs=1).train()
    resumed = resume(make(num_train_epochs=2, logging_steps=1, resumed=True))
    rates = {entry["step"]: entry["learning_rate"] for entry in history(resumed) if "learning_rate" in entry}
    assert rates[4] == pytest.approx(1e-2 * (1 - 3 / 6))
    assert max(rates) == 6


def test_without_the_weights_of_the_best_another_one_is_the_best(make):
    with pytest.raises(KilledError):
        make(more=[At("on_step_end", 6, kill)]).train()
    trainer = make()
    trainer.add_callback(GoOn(best_is_lost=True))
    resume(trainer)
    assert trainer.state.best_global_step == 6


@pytest.mark.parametrize(
    ("greater", "values", "waited"),
    [
        (True, [1, 2, 2, 1], 2),
        (False, [2, 1, 1], 1),
        (True, [float("nan"), 1], 0),
        (True, [float("nan")] * 2, 2),
        (True, [], 0),
    ],
)
def test_patience_counts_evaluations_without_a_better_one(greater, values, waited):
    log = [{"loss": 1.0, "step": 1}, *({"eval_auc": value} for value in values)]
    assert evaluations_since_best(log, "eval_auc", greater) == waited
