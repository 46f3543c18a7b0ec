"""Does every real token's activation come out once, as the model made it, and does a buffer mix and lose nothing?"""

import pytest
import torch
from torch.testing import assert_close

from saelab.testing import recipe, runs

SITE = "blocks.1.hook_resid_post"
SIZES = pytest.mark.parametrize(
    "capacity, batch_size",
    [(10, 4), (7, 7), (9, 1)],
    ids=["capacity 10, batches of 4", "capacity 7, batches of 7", "capacity 9, batches of 1"],
)


def texts(rng, n, length=6, **options):  # a small model, tokens, and a mask in which about a third is False
    model = recipe("model.random", seed=rng.integer(0, 2**31), **options)
    tokens, mask = (rng.uniform(n, length) * 50).long(), rng.uniform(n, length) < 0.67
    mask[0, 0], mask[-1] = False, rng.permutation(length) > 0  # the last sequence counts
    return model, tokens, mask


def row_by_row(model, tokens, mask):
    acts = model.run_with_cache(tokens, names_filter=SITE)[1][SITE].detach()
    return torch.stack([acts[s, i] for s in range(len(tokens)) for i in range(tokens.shape[1]) if mask[s, i]])


def assert_rows(got, expected):  # a batch of another size adds up in another order: rounding, far below any mistake
    assert_close(got, expected, rtol=1e-4, atol=1e-5)


def numbered(rng, count):  # rows [count, 3] whose first entry is their number
    return torch.cat([torch.arange(float(count))[:, None], rng.normal(count, 2)], dim=1)


def test_each_real_token_gives_one_row_and_other_tokens_give_none(harvest, rng):
    "As many rows as the mask has True: no row of zeros for the others. And the last batch may be a shorter one."
    for n, batch_size in [(5, 2), (4, 1), (6, 3), (2, 9)]:
        model, tokens, mask = texts(rng, n)
        got, told = len(harvest(model, SITE, tokens, mask, batch_size)), f"{n} sequences, {batch_size} at a time"
        assert got == mask.sum(), f"{told}: the mask has {int(mask.sum())} True, and there are {got} rows."


def test_rows_are_the_models_activations_in_reading_order(harvest, rng):
    "Whole sequences go in; pick each one's from left to right."
    (model, tokens, mask), later = texts(rng, 3), torch.arange(6) > 0  # the first column is read, but not kept
    assert_rows(harvest(model, SITE, tokens, mask & later, 3), row_by_row(model, tokens, mask & later))


def test_rows_require_no_gradient(harvest, rng):
    "Run the model under `torch.no_grad()`: a graph would keep all that the model computed alive."
    model, tokens, mask = texts(rng, 3, trainable=True)
    got = harvest(model, SITE, tokens, mask, 2)
    assert not got.requires_grad, "The weights require gradients, the rows should not: requires_grad is True."


def test_the_model_runs_on_batch_size_sequences_at_a_time(harvest, rng):
    "The model has noted on what it was run: batch_size whole sequences, or the rest at the end."
    model, tokens, mask = texts(rng, 5)
    for batch_size in (2, 1, 9):
        harvest(model, SITE, tokens, mask, batch_size)
        wanted = [tuple(part.shape) for part in tokens.split(batch_size)]
        told = f"5 sequences of 6 tokens, batch_size {batch_size}: the model should run on tokens of shapes {wanted}"
        assert runs(model) == wanted, f"{told}, it ran on {runs(model)}."


@SIZES
def test_each_row_leaves_the_buffer_once_and_whole(ShuffleBuffer, rng, capacity, batch_size):
    "Rows are drawn without replacement and are then gone; what belongs to a row stays together; the tail counts."
    buffer, rows = ShuffleBuffer(capacity, batch_size, rng.integer(0, 99)), numbered(rng, 53)
    rows[0], rows[20], rows[33] = 0.0, rows[10], rows[2]  # a row of zeros is a row, and so is one that came before
    for time in ("", "for a second time, after `finish`, "):  # an empty buffer is ready for more
        batches = [batch for part in rows.split([6, 0, 1, 25, 3, 18]) for batch in buffer.add(part)] + buffer.finish()
        got = torch.cat(batches)
        assert len(got) == 53, f"53 rows went in {time}(one of zeros, some twice): expected 53 back, got {len(got)}."
        assert_close(got[got[:, 0].argsort(stable=True)], rows[rows[:, 0].argsort(stable=True)], rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.float64], ids=["float16", "float64"])
def test_rows_keep_their_dtype(ShuffleBuffer, rng, dtype):
    "Half as many bytes per row should stay half as many. What dtype has the buffer before the first row comes?"
    rows, buffer = numbered(rng, 20).to(dtype), ShuffleBuffer(6, 4, 0)
    got = {batch.dtype for part in rows.split(10) for batch in buffer.add(part)} | {b.dtype for b in buffer.finish()}
    assert got == {dtype}, f"{dtype} went in: expected it to come out, got {got}."


@SIZES
def test_a_batch_leaves_whenever_the_buffer_is_full_and_only_then(ShuffleBuffer, rng, capacity, batch_size):
    "Nothing leaves below `capacity`; from there on one batch after the other does, until fewer are held."
    buffer, held = ShuffleBuffer(capacity, batch_size, 0), 0
    for size in [capacity - 1, 1, 0, 3 * capacity, batch_size, batch_size]:
        wanted = [batch_size] * max(0, (held + size - capacity) // batch_size + 1)
        got, told = [len(batch) for batch in buffer.add(numbered(rng, size))], f"{held} rows held, {size} more came"
        assert got == wanted, f"Capacity {capacity}, {told}: expected batches of {wanted} rows, got {got}."
        held += size - sum(got)
    wanted, got = [min(batch_size, held - i) for i in range(0, held, batch_size)], buffer.finish() + buffer.finish()
    told = f"{held} rows were left, and `finish` was called twice: expected batches of {wanted} rows in all"
    assert [len(b) for b in got] == wanted, f"{told}, got {[len(b) for b in got]}."


def test_a_batch_is_a_random_sample_of_all_rows_held(ShuffleBuffer, rng):
    "100 of 400 rows leave. Any of them may: old ones and new ones, those that came together and those that didn't."
    buffer, rows = ShuffleBuffer(400, 100, rng.integer(0, 99)), numbered(rng, 1200)
    chunks = len((torch.cat([b for part in rows[:400].split(10) for b in buffer.add(part)])[:, 0] // 10).unique())
    assert chunks > 25, f"400 rows came in 40 chunks: a sample of 100 has rows of about 38, this one of {chunks}."
    new = [int((torch.cat(buffer.add(rows[i : i + 100]))[:, 0] >= i).sum()) for i in range(400, 1200, 100)]
    told = f"300 old rows and 100 new ones: a sample of 100 has 25 ± 4 new ones, now more, now fewer; got {new}."
    assert min(new) > 2 and max(new) < 48 and len(set(new)) > 1, told  # 6 errors; eight alike: once in ten million


@pytest.mark.parametrize("capacity, n", [(1000, 300), (300, 900)], ids=["left at the end", "too many at once"])
def test_batches_that_leave_together_are_mixed_too(ShuffleBuffer, rng, capacity, n):
    "A buffer ends or overflows, and several batches leave it. Are neighbours still together, or first ones first?"
    buffer = ShuffleBuffer(capacity, 100, rng.integer(0, 99))
    first = (buffer.add(numbered(rng, n)) + buffer.finish())[0][:, 0]
    assert first.std() > 61, f"100 of 300 rows or more spread by 87 ± 4 at least, the first batch by {first.std():.0f}."


def test_the_seed_decides_which_rows_leave(ShuffleBuffer, rng):
    "Draw with the buffer's own generator, made once: torch's common one is changed by whatever else runs."
    rows, seed, common = numbered(rng, 60), rng.integer(0, 99), torch.get_rng_state()
    one, same, other = [ShuffleBuffer(30, 10, s) for s in (seed, seed, seed + 1)]
    for part in rows.split(20):  # by turns
        a, b, c = [torch.cat([*buffer.add(part), rows[:1]]) for buffer in (one, same, other)]
        assert_close(a, b, rtol=0, atol=0)
    a, b, c = [torch.cat(buffer.finish()) for buffer in (one, same, other)]
    assert_close(a, b, rtol=0, atol=0)
    assert not torch.equal(a, c), f"Seeds {seed} and {seed + 1} gave the same rows in the same order."
    assert torch.equal(common, torch.get_rng_state()), "The buffer used or seeded torch's common generator."


def test_agrees_with_the_reference_on_any_texts(harvest, reference, rng):
    "This tries one sequence, one position, a batch without a real token, another place in the model."
    for n, length, batch_size in [(1, 1, 1), (1, 7, 2), (9, 4, 4), (6, 5, 2)]:
        model, tokens, mask = texts(rng, n, length)
        mask[2 * (n > 5) : 4 * (n > 5)], mask[-1, -1] = False, True
        given = (model, f"blocks.{n % 2}.hook_resid_pre", tokens, mask, batch_size)
        assert_rows(harvest(*given), reference(*given))
