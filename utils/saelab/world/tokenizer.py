"""The tokenizer of the pocket world: whole words with their leading space, as a Hugging Face tokenizer."""

import re
from typing import TYPE_CHECKING

from saelab import extras

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

    from saelab.world.world import World

SPECIAL = ("<bos>", "<pad>", "<eos>", "<unk>")
BOS, PAD = 0, 1
_PIECES = r" ?\w+| ?[^\w\s]|\s+"


def split(text: str) -> list[str]:
    """A text cut into tokens. A leading space is put before it, as at every other word."""
    return re.findall(_PIECES, text if text[:1] in " " else " " + text)


def tokenizer(world: "World") -> "PreTrainedTokenizerFast":
    """A fast tokenizer with the world's vocabulary; it puts <bos> first. Unknown words become <unk>."""
    extras.demand("transformers")
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import PreTrainedTokenizerFast

    tk = Tokenizer(models.WordLevel({word: i for i, word in enumerate(world.vocabulary)}, unk_token="<unk>"))
    tk.normalizer = normalizers.Replace(Regex(r"\A(?=\w)"), " ")
    tk.pre_tokenizer = pre_tokenizers.Split(Regex(_PIECES), "isolated")
    tk.decoder = decoders.Fuse()
    tk.post_processor = processors.TemplateProcessing(
        single="<bos> $A", pair="<bos> $A $B", special_tokens=[("<bos>", 0)]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tk, bos_token="<bos>", eos_token="<eos>", pad_token="<pad>", unk_token="<unk>",
        add_bos_token=True, name_or_path="pocket",
    )  # fmt: skip
