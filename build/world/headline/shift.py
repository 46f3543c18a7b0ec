"""SHIFT: take out of a probe what it should not use, by what its latents mean. `python build/world/headline/shift.py`

Question: a probe for what somebody does ("Every day she helped people" or "fixed machines") is trained where all who
help are women and all who fix are men. Can it be mended without other data, by removing the latents that are about
gender (Marks et al. 2024, "Sparse Feature Circuits")?

Method: logistic regression on activations of one site, averaged over the tokens of the sentence up to its answer.
Biased: duty and gender agree in all of the training set; the test set has all four groups equally often. A latent's
attribution: its mean over one class minus that over the other, times its decoder's share in the probe. Of the 60
latents with the largest |attribution| those are about gender that, on other text, side with one gender in 9 of 10 cases
where a gender is known (a woman's name, "she", a word after them in a sentence about a woman, …). They are subtracted
(the error stays), and the probe is applied as it is, or trained again. Beside it: words replaced (the name by one of
either gender, the pronouns by "it"), as many of the other live latents removed, and a probe trained on balanced data.

It shows if the biased probe's worst group is below 0.5, SHIFT lifts it by more than 0.2, and random latents do not.

Came out: it shows. Worst group before → applied as it is → trained again: embedding 0.07 → 0.97 → 1.00; after layer 1
0.67 → 0.86 → 1.00 (not biased enough to count); after layer 2 0.27 → 0.90 → 1.00. Random latents: 0.07, 0.60 and 0.25
when trained again. 26, 6 and 14 latents are removed. Words replaced, or balanced data: 1.00, which SHIFT reaches when
the probe is trained again. Only the mean over tokens makes a biased probe: at the verb, at its object and at the end
the duty is plain (worst group 1.00), at "called" and at the pronouns the probe hears nothing but gender (0.00).
"""

import numpy as np
import torch
from latents import activations, encoded, flat, held_out, logistic
from torch import Tensor

SITES = ("blocks.0.hook_resid_pre", "blocks.1.hook_resid_post", "blocks.2.hook_resid_post")
JUDGED = 60
SIDES = {side: [f"gender: {side}", f"class: {adjective}", f"class: {side}'s name", f"class: {side} of the family"]
         for side, adjective in (("woman", "feminine"), ("man", "masculine"))}  # fmt: skip
NEUTRAL = {" she": " it", " he": " it", " her": " it", " him": " it"}


def people(lab, duty: Tensor, woman: Tensor, seed: int) -> Tensor:
    """Sentences about people of this duty (0: helps, 1: writes, 2: fixes) and gender, up to the answer, [n, length]."""
    kind = next(k for k in lab.world.kinds if (k.family, k.template) == ("profession", 0))
    rng = np.random.default_rng([seed, 41])
    d = lab.world.write(kind, rng, np.zeros(len(duty), int), force={"duty": duty.numpy(), "woman": woman.numpy()})
    return torch.from_numpy(np.pad(d.tokens()[:, : d.answer], ((0, 0), (1, 0)))).long()  # <bos> is 0


def without_gender(lab, tokens: Tensor) -> Tensor:
    """The same sentences with a name of either gender, and "it" for the pronouns."""
    number = {word: i for i, word in enumerate(lab.world.vocabulary)}
    swap = torch.arange(len(number))
    for word, other in NEUTRAL.items():
        swap[number[word]] = number[other]
    tokens = swap[tokens]
    tokens[:, 1] = number[" Robin"]
    return tokens


def gender_latents(lab, dictionary, site: str, n: int, seed: int, share: float = 0.9) -> Tensor:
    """Which latents stand on tokens of one gender in 9 of 10 cases where a gender is known (at least 20), [L] bool."""
    text = held_out(lab, n, seed)
    sides = torch.stack([torch.from_numpy(text.labels(names)[:, 1:].reshape(-1, len(names))).any(1)
                         for names in SIDES.values()], 1).float()  # fmt: skip
    known = sides.any(1)
    on = torch.cat([(f > 0).float() for f in encoded(dictionary, flat(lab, site, text)[known])])
    times = on.T @ sides[known]
    return (times.amax(1) >= share * times.sum(1)) & (times.sum(1) >= 20)


def told(x: Tensor, probe: tuple[Tensor, Tensor], duty: Tensor, woman: Tensor) -> list[float]:
    """Accuracy over all, of the worst of the four groups, and how often the answer is the one that gender suggests."""
    yes = x @ probe[0] + probe[1] > 0
    groups = [(yes == duty)[(duty == a) & (woman == b)].float().mean() for a in (False, True) for b in (False, True)]
    return [float((yes == duty).float().mean()), float(min(groups)), float((yes == ~woman).float().mean())]


@torch.no_grad()
def measure(lab, n: int = 400, seed: int = 0, sites: tuple[str, ...] = SITES, general: int = 200) -> dict:
    """Lists by site. Rows: accuracy, worst group's accuracy, share of answers that agree with gender, on the test set.

    Also: how many latents were judged, how many of them removed, and their part of |attribution|.
    """
    found: dict[str, list] = {"sites": list(sites)}
    for site in sites:
        for name, figure in at_site(lab, site, n, seed, general).items():
            found.setdefault(name, []).append(figure)
    return found


def at_site(lab, site: str, n: int, seed: int, general: int, times: int = 5) -> dict:
    """All figures of one site."""
    fixes, other = torch.arange(n) % 4 < 2, torch.arange(n) % 2 == 0  # duty 2 or 0; where balanced: is it a woman?
    sets = {"biased": (~fixes, 1), "balanced": (other, 2), "test": (other, 3)}
    dictionary, mean, latents, words = lab.dictionary(site), {}, {}, {}
    for name, (woman, part) in sets.items():
        tokens = people(lab, torch.where(fixes, 2, 0), woman, 10 * seed + part)
        x = activations(lab, site, tokens)[:, 1:]
        mean[name], latents[name] = x.mean(1), dictionary.encode(x).mean(1)
        words[name] = activations(lab, site, without_gender(lab, tokens))[:, 1:].mean(1)

    def removed(which: Tensor) -> dict[str, Tensor]:
        return {name: x - latents[name][:, which] @ dictionary.W_dec[which] for name, x in mean.items()}

    def row(x: dict[str, Tensor], probe=None, on: str = "biased") -> list[float]:
        return told(x["test"], probe or logistic(x[on], fixes), fixes, other)

    biased, f = logistic(mean["biased"], fixes), latents["biased"]
    attribution = ((f[fixes].mean(0) - f[~fixes].mean(0)) * (dictionary.W_dec @ biased[0])).abs()
    used = (attribution >= attribution.topk(JUDGED).values[-1]) & (attribution > 0)
    about = used & gender_latents(lab, dictionary, site, general, seed)
    live = ((f > 0).any(0) & ~about).nonzero()[:, 0]
    draws = [live[torch.randperm(len(live), generator=torch.Generator().manual_seed(i))[: int(about.sum())]]
             for i in range(times)]  # fmt: skip
    shifted, random = removed(about.nonzero()[:, 0]), [removed(draw) for draw in draws]
    return {
        "latents_judged": int(used.sum()), "latents_removed": int(about.sum()),
        "attribution_removed": float(attribution[about].sum() / attribution.sum()),
        "biased": row(mean, biased), "shift": row(shifted, biased), "shift_retrained": row(shifted),
        "random": torch.tensor([row(x, biased) for x in random]).mean(0).tolist(),
        "random_retrained": torch.tensor([row(x) for x in random]).mean(0).tolist(),
        "words_replaced": row(words), "balanced": row(mean, on="balanced"),
    }  # fmt: skip


if __name__ == "__main__":
    from nodes import show

    show(measure)
