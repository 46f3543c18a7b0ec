"""Dead latents start again where the dictionary reconstructs badly (after Bricken et al. 2023)."""

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .architectures import SAE


@torch.no_grad()
def resample(sae: SAE, optimiser: torch.optim.Optimizer, dead: Tensor, x: Tensor, error: Tensor, seed: int) -> Tensor:
    """Let latents of `dead` [d_sae] (bool) start again at inputs x [batch, d_in] that are reconstructed badly.

    Inputs are drawn one after another, with a chance that grows with the squared `error` [batch, d_out] there (target
    less reconstruction). A latent's column of W_enc becomes the direction of its input, less the mean of all; its row
    of W_dec that of the error; and at this input it is as large as the error. Inputs where it is on are not drawn
    any more, as two that mend the same error would make a new one: what is left stays dead. Adam forgets what it knew
    of a latent that starts again. Returns which ones do [n].
    """
    centred, error, generator = (x - x.mean(0)).flatten(1), error.flatten(1), torch.Generator().manual_seed(seed)
    directions, size = normalize(centred, dim=1), error.norm(dim=1)
    chances, drawn = size.square(), []
    for _ in range(int(dead.sum())):
        if not chances.any():
            break
        i = int(torch.multinomial(chances.cpu(), 1, generator=generator))
        chances[(centred - centred[i]) @ directions[i] + size[i] > 0] = 0.0
        drawn.append(i)
    rows = dead.nonzero()[: len(drawn), 0]
    sae.W_enc[:, rows] = directions[drawn].T
    sae.W_dec[rows] = normalize(error[drawn], dim=1)
    sae.set_biases(rows, x[drawn], size[drawn])
    for name, parameter in sae.named_parameters():
        if name in sae.of_latents:
            for key in ("exp_avg", "exp_avg_sq"):
                memory = optimiser.state[parameter][key]
                (memory.T if name == "W_enc" else memory)[rows] = 0.0
    return rows
