"""An epoch is every record once, in steps of the promised size."""

from accelerate import skip_first_batches
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader

from likely.encoding.order import shuffled
from likely.training.steps import RowNumbers, StepSampler


def test_an_epoch_sees_every_record_once_in_an_order_of_its_own():
    sampler = StepSampler(shuffled(23, seed=5), 23, 4)
    epochs = []
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        steps = list(sampler)
        assert [len(step) for step in steps] == [4, 4, 4, 4, 4, 3]
        assert len(sampler) == len(steps)
        epochs.append([index for step in steps for index in step])
        assert sorted(epochs[-1]) == list(range(23))
    assert epochs[0] != epochs[1]
    assert epochs[1] == shuffled(23, seed=5)(1)


@given(records=st.integers(1, 40), step_size=st.integers(1, 9), epoch=st.integers(0, 3))
def test_a_data_loader_gives_the_steps_of_the_epoch_it_was_set_to(records, step_size, epoch):
    """As transformers' Trainer builds it; and a resumed run that never saw the epochs before gets the same."""
    sampler = StepSampler(shuffled(records, seed=1), records, step_size)
    sampler.set_epoch(epoch)
    loader = DataLoader(RowNumbers(records), batch_sampler=sampler, collate_fn=list)
    steps = list(loader)
    assert len(steps) == len(loader)
    assert [row for step in steps for row in step] == shuffled(records, seed=1)(epoch)
    assert {len(step) for step in steps[:-1]} <= {step_size}


@given(records=st.integers(1, 40), step_size=st.integers(1, 4), devices=st.integers(1, 5), epoch=st.integers(0, 3))
def test_devices_share_out_the_very_steps_that_one_would_take(records, step_size, devices, epoch):
    """None is seen twice to fill up the last step, and a resumed run goes on in the order of its epoch."""
    alone = StepSampler(shuffled(records, seed=1), records, step_size * devices)
    alone.set_epoch(epoch)
    parts = []
    for rank in range(devices):
        sampler = StepSampler(shuffled(records, seed=1), records, step_size, rank, devices)
        loader = DataLoader(RowNumbers(records), batch_sampler=sampler, collate_fn=list)
        seen = skip_first_batches(loader, 1)
        sampler.set_epoch(epoch)
        parts.append(list(loader))
        assert list(seen) == parts[-1][1:]
        assert all(len(part) <= step_size for part in parts[-1])
    assert [[row for part in step for row in part] for step in zip(*parts, strict=True)] == list(alone)


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 4), st.integers(0, 40))
def test_what_has_been_seen_is_what_the_steps_had(records, step_size, devices, steps):
    shares = [StepSampler(shuffled(records, 0), records, step_size, rank, devices) for rank in range(devices)]
    taken = [sum(len(rows) for rows in step) for step in zip(*shares, strict=True)]
    assert shares[0].seen_after(steps) == sum((taken * (steps + 1))[:steps])
