"""Wrong answers that students wrote, and what they are told: never a mistake that they did not make."""

import pytest

from saelab import checking, content

TELLS = {  # exercise and part, the answer, and the only misconception whose words are true of it
    "drawn by the length of the error": (
        "resample", "resample_by_loss",
        """
def resample_by_loss(x, x_hat, b_dec, u):
    weight = (x - x_hat).norm(dim=1)
    upto = weight.cumsum(0) / weight.cumsum(0)[-1]
    d = x[torch.searchsorted(upto, u, right=True)] - b_dec
    return d / d.norm(dim=1, keepdim=True)
""",
        "length_of_the_error",
    ),
    "drawn by the cube of the loss": (
        "resample", "resample_by_loss",
        """
def resample_by_loss(x, x_hat, b_dec, u):
    weight = (x - x_hat).square().sum(dim=1) ** 3
    upto = weight.cumsum(0) / weight.cumsum(0)[-1]
    d = x[torch.searchsorted(upto, u, right=True)] - b_dec
    return d / d.norm(dim=1, keepdim=True)
""",
        None,
    ),
    "whole sequences kept": (
        "harvest", "harvest",
        """
def harvest(model, site, tokens, mask, batch_size):
    kept = []
    with torch.no_grad():
        for start in range(0, len(tokens), batch_size):
            part = slice(start, start + batch_size)
            kept.append(run(model, site, tokens[part])[mask[part].any(dim=1)].flatten(0, 1))
    return torch.cat(kept)
""",
        "mask_is_ignored",
    ),
    "zeros hidden behind a product": (
        "gated_loss", "annealed_penalty",
        "def annealed_penalty(f, p):\n    return ((f > 0) * f**p).sum() / len(f)",
        "not_a_number_at_zero",
    ),
    "the text sorted before it is cut": (
        "autopsy", "prepare",
        """
def prepare(rows, vocab, length):
    tokens, mask = right([sorted(row) for row in rows], vocab, length)
    return tokens, mask
""",
        None,
    ),
    "a window of nine tenths": (
        "irreducible", "irreducible",
        """
def irreducible(acts):
    centred = acts - acts.mean(dim=0)
    z = centred @ torch.linalg.svd(centred, full_matrices=False).Vh[:2].T
    angles = torch.arange(0, 180, 5).to(z) * torch.pi / 180
    shadows = torch.stack([angles.cos(), angles.sin()], dim=1) @ z.T
    many, ordered = int(0.9 * len(z)), shadows.sort(dim=1).values
    window = (ordered[:, many:] - ordered[:, :-many]).min()
    dependence = min(mutual_information(a, b) for a, b in zip(shadows[:18], shadows[18:]))
    return bool(not window < 0.2 * z[:, 0].std() and dependence > 0.2)
""",
        "forgets_mixtures",  # rings and independent features are told apart, those that exclude each other are not
    ),
}  # fmt: skip


@pytest.mark.parametrize("answer", TELLS)
def test_a_wrong_answer_is_told_nothing_that_is_not_so(answer):
    name, part, code, expected = TELLS[answer]
    exercise = content.find(name)
    parts = content.reference_parts(exercise)
    namespace = dict(content.solved(content.read(exercise.path)), right=parts[part])
    exec(code, namespace)
    report = checking.run(exercise, parts | {part: namespace[part]})
    assert report.status == "failed", str(report)
    assert report.misconception == expected, str(report)
