"""The course's own dictionaries: six SAEs, two transcoders, a crosscoder, one training loop, SAELens's files.

sae = BatchTopKSAE(d_in=128, d_sae=768, k=12, metadata={"hook_name": "blocks.2.hook_resid_post"})
history = train(sae, lambda step: activations[step], steps=1500, bf16=True)
save(sae, "folder")  # sae_lens.SAE.load_from_disk("folder") reads it too
sae = load("folder")
"""

from .architectures import SAE, GatedSAE, JumpReLUSAE, Loss, StandardSAE
from .curves import History
from .saelens import load, save
from .topk import BatchTopKSAE, MatryoshkaSAE, TopKSAE
from .training import calibrate, start_from, train
from .transcoders import Crosscoder, SkipTranscoder, Transcoder

__all__ = [
    "SAE",
    "BatchTopKSAE",
    "Crosscoder",
    "GatedSAE",
    "History",
    "JumpReLUSAE",
    "Loss",
    "MatryoshkaSAE",
    "SkipTranscoder",
    "StandardSAE",
    "TopKSAE",
    "Transcoder",
    "calibrate",
    "load",
    "save",
    "start_from",
    "train",
]
