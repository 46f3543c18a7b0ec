"""Prompts for public models: of words that are single tokens for their tokenizer."""

import random
from collections.abc import Callable
from itertools import product
from typing import NamedTuple

import torch

from saelab.prompts import Prompts

PEOPLE = "Mary John Tom James Dan Sam Alice Anna Paul Mark Kate Laura Peter Sarah Simon David Emma Jack Lisa Adam"
PLACES = "store park school office hospital station house garden"
THINGS = "drink book ring ball phone key letter gift"
CAPITALS = (
    "France Paris, Germany Berlin, Italy Rome, Spain Madrid, England London, Russia Moscow, Japan Tokyo, "
    "China Beijing, Egypt Cairo, Cuba Havana, Austria Vienna, Greece Athens, Ireland Dublin, Norway Oslo, "
    "Sweden Stockholm, Poland Warsaw, Portugal Lisbon, Hungary Budapest, Iran Tehran, Iraq Baghdad, "
    "Syria Damascus, Canada Ottawa, Kenya Nairobi, Thailand Bangkok"
)
QUESTIONS = ("The capital of {} is", "The capital city of {} is the city of", "{}'s capital is called")


class Row(NamedTuple):
    """One prompt: as written, its twin, the right next word and the twin's."""

    text: str
    twin: str
    right: str
    wrong: str


def ioi(tokenizer, n: int, seed: int) -> Prompts:
    """Indirect object identification (Wang et al. 2022): the answer is the name that came once.

    ABBA and BABA take turns; the wrong answer is the name that came twice. In the twin the other one gives.
    """
    draw = random.Random(seed)
    people, places, things = (_single(tokenizer, words) for words in (PEOPLE, PLACES, THINGS))
    rows = []
    for i in range(n):
        giver, receiver = draw.sample(people, 2)
        first, second = (receiver, giver) if i % 2 else (giver, receiver)
        start, end = f"When{first} and{second} went to the{draw.choice(places)},", f" gave a{draw.choice(things)} to"
        rows.append(Row(start + giver + end, start + receiver + end, receiver, giver))
    return _prompts(tokenizer, rows)


def facts(tokenizer, n: int, seed: int) -> Prompts:
    """Capitals of countries; the twin asks for another country's. At most one prompt a country and question."""
    draw = random.Random(seed)
    everywhere = [pair.split() for pair in CAPITALS.split(", ")]
    known = _single(tokenizer, " ".join(capital for _, capital in everywhere))
    pairs = [(country, f" {capital}") for country, capital in everywhere if f" {capital}" in known]
    rows = []
    for question, (country, capital) in product(QUESTIONS, pairs):
        text, length = question.format(country), len(_ids(tokenizer, question.format(country)))
        others = [(question.format(other), right) for other, right in pairs if other != country]
        others = [(twin, right) for twin, right in others if len(_ids(tokenizer, twin)) == length]
        if others:
            twin, wrong = draw.choice(others)
            rows.append(Row(text, twin, capital, wrong))
    if n > len(rows):
        raise ValueError(f"This model's tokenizer allows {len(rows)} facts; ask for n ≤ {len(rows)}.")
    return _prompts(tokenizer, draw.sample(rows, n))


KINDS: dict[str, Callable[..., Prompts]] = {"ioi": ioi, "facts": facts}


def _single(tokenizer, words: str, at_least: int = 2) -> list[str]:
    """Those words that are one token with the space before them, with that space."""
    found = [f" {word}" for word in words.split() if len(_ids(tokenizer, f" {word}")) == 1]
    if len(found) < at_least:
        raise ValueError(
            f"Hardly any of the words {', '.join(words.split()[:4])}, … is one token for this model's tokenizer."
        )
    return found


def _prompts(tokenizer, rows: list[Row]) -> Prompts:
    ids, twins = ([[tokenizer.bos_token_id, *_ids(tokenizer, row[i])] for row in rows] for i in (0, 1))
    length, fill = max(map(len, ids), default=0), tokenizer.eos_token_id
    return Prompts(
        text=[row.text for row in rows],
        tokens=torch.tensor([row + [fill] * (length - len(row)) for row in ids], dtype=torch.long),
        last=torch.tensor([len(row) - 1 for row in ids], dtype=torch.long),
        answers=torch.tensor([_ids(tokenizer, row.right)[0] for row in rows], dtype=torch.long),
        wrong=torch.tensor([_ids(tokenizer, row.wrong)[0] for row in rows], dtype=torch.long),
        twin=torch.tensor([row + [fill] * (length - len(row)) for row in twins], dtype=torch.long),
    )


def _ids(tokenizer, text: str) -> list[int]:
    return tokenizer(text, add_special_tokens=False).input_ids
