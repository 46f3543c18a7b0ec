"""The words, the tokenizer, and the prompts with their counterfactuals."""

import random
from typing import NamedTuple

import torch
from torch import Tensor

from saelab import extras

SPECIAL = ["<bos>", "<eos>", "<pad>", "<unk>"]
NAMES = ["Ann", "Bob", "Cal", "Dee", "Eve", "Fay"]
SURNAMES = ["Hill", "Ford", "Lane", "Marsh"]
ITEMS = ["cup", "key", "lamp", "ring", "book", "coin", "pen", "box"]
SPORTS = ["tennis", "golf", "chess", "rowing"]
PLACES = ["park", "lake", "shop", "farm", "port", "mill"]
GLUE = "When Soon In and went came walked drove met to at the a old big , . gave lent sold threw handed plays sport of"
WORDS = NAMES + ITEMS  # what repeats in induction prompts
VOCABULARY = SPECIAL + [f" {word}" for word in NAMES + SURNAMES + ITEMS + SPORTS + PLACES + GLUE.split()]
MAX_TOKENS = 16

# All of one length, so that a prompt and its counterfactual can be mixed position by position.
IOI_TEMPLATES = [
    "When {a} and {b} {went} to the {place} , {s} {gave} a {item} to",
    "Soon {a} and {b} {went} to the {place} and {s} {gave} the {item} to",
    "In the {place} , {a} and {b} met and {s} {gave} a {item} to",
]


class Prompts(NamedTuple):
    """Prompts of one behaviour; `corrupted` are the same prompts with every name or word that matters replaced."""

    texts: list[str]
    tokens: Tensor  # [n, seq], begins with <bos>
    corrupted: Tensor  # [n, seq]
    answer: Tensor  # [n], the right next token
    wrong: Tensor  # [n], what it is compared with


def sport(name: str, surname: str) -> str:
    """The sport this person plays: every surname goes with every sport, and so does every first name.

    >>> sport("Ann", "Hill"), sport("Bob", "Hill"), sport("Ann", "Ford")
    ('tennis', 'golf', 'golf')
    """
    return SPORTS[(NAMES.index(name) + SURNAMES.index(surname)) % len(SPORTS)]


def prompts(n: int, seed: int = 0) -> dict[str, Prompts]:
    """`n` prompts for each of "ioi", "induction" and "facts"; the same seed gives the same prompts.

    The logit difference `answer − wrong` at the last position measures the behaviour:

    - ioi: the other name, against the name that is repeated; corrupted: three other names, none repeated
    - induction: what followed the last word before, against another word; corrupted: other words, none repeated
    - facts: the person's sport, against that of the person in the corrupted prompt

    Raises ValueError unless n ≥ 1.
    """
    if n < 1:
        raise ValueError(f"Ask for at least one prompt: n is {n}.")
    rng = random.Random(seed)
    return {
        name: _prompts([draw(rng) for _ in range(n)])
        for name, draw in [("ioi", _ioi), ("induction", _induction), ("facts", _facts)]
    }


def _ioi(rng: random.Random) -> tuple[str, str, str, str]:
    a, b, c, d, e = rng.sample(NAMES, 5)
    frame = {
        "place": rng.choice(PLACES),
        "item": rng.choice(ITEMS),
        "went": rng.choice(["went", "came", "walked", "drove"]),
        "gave": rng.choice(["gave", "lent", "sold", "threw", "handed"]),
    }
    template = rng.choice(IOI_TEMPLATES)
    subject, other = rng.sample([a, b], 2)
    text, corrupted = template.format(a=a, b=b, s=subject, **frame), template.format(a=c, b=d, s=e, **frame)
    return text, corrupted, other, subject


def _induction(rng: random.Random) -> tuple[str, str, str, str]:
    first = rng.sample(WORDS, 7)
    place = rng.randrange(6)
    word, answer = first[place : place + 2]
    others = [w for w in WORDS if w not in (word, answer)]
    wrong = rng.choice([w for w in first if w not in (word, answer)])
    return " ".join([*first, word]), " ".join(rng.sample(others, 8)), answer, wrong


def _facts(rng: random.Random) -> tuple[str, str, str, str]:
    people = [(name, surname) for name in NAMES for surname in SURNAMES]
    (name, surname) = rng.choice(people)
    answer = sport(name, surname)
    # Half of a person must not give the answer away: both names change, and so does the sport of every mixture.
    others = [(f, s) for f, s in people if answer not in (sport(f, s), sport(f, surname), sport(name, s))]
    other = rng.choice(others)
    text = "{} {} plays the sport of"
    return text.format(name, surname), text.format(*other), answer, sport(*other)


def _prompts(rows: list[tuple[str, str, str, str]]) -> Prompts:
    texts, corrupted, answer, wrong = zip(*rows)
    number = {word: i for i, word in enumerate(VOCABULARY)}

    def encode(lines: tuple[str, ...]) -> Tensor:
        return torch.tensor([[0, *(number[f" {word}"] for word in line.split())] for line in lines])

    return Prompts(
        [f" {text}" for text in texts], encode(texts), encode(corrupted), encode(answer)[:, 1], encode(wrong)[:, 1]
    )


def tokenizer():
    """A word-level PreTrainedTokenizerFast; words keep their leading space, <bos> is put in front."""
    extras.demand("transformers")
    from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    vocabulary = {word: i for i, word in enumerate(VOCABULARY)}
    words = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.Split(Regex(r" ?\w+| ?[^\w\s]+|\s+"), "isolated")
    words.decoder = decoders.Fuse()
    words.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", 0)]
    )
    named = {"bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<pad>", "unk_token": "<unk>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=words, add_bos_token=True, model_max_length=MAX_TOKENS, name_or_path="exact", **named
    )
