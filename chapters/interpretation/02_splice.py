# %% [markdown]
# # Does the model still know?
#
# A person plays a sport, and the model knows which. Put a dictionary's reconstruction in the place of the activation
# between two layers, and ask again. Does the model still know? A mean over thousands of tokens can't tell you: it is
# made of easy tokens, and the one word that you care about may be lost all the same.
#
# **At the end of this section** you will be able to splice a dictionary into a model so that nothing of it stays
# behind, to look at single answers by rank and probability, and to say what becomes of a model that has lost its BOS.

# %% setup=1
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from saelab import check, hint, lab, plots, predict, scores

# %%
SITE = "blocks.1.hook_resid_post"
N = 64  # prompts of each kind

pocket = lab("pocket")
model = pocket.model
kinds = {"a sport": "facts", "a receiver": "ioi"}
prompts = {name: pocket.prompts(kind, N) for name, kind in kinds.items()}
trained = pocket.dictionary(SITE).requires_grad_(False)
for name, some in prompts.items():
    answer = pocket.tokenizer.decode([int(some.answers[0])])
    print(f"{name}: “{some.text[0]}”, and the answer is “{answer}”")

# %% [markdown]
# ## One hook, and everything that can go wrong with it
#
# A *splice* is an intervention: while the model runs, a hook at `site` takes the activation $x$ and hands on
# $\hat x$ = `sae.decode(sae.encode(x))`. All later layers read $\hat x$. That is one line, and it has gone wrong in
# public code in five ways:
#
# | mistake | what you would see |
# |---|---|
# | the hook stays on the model | the next, "clean" run is spliced too |
# | it is taken off in the last line, and a line before that raises | the same, but only after an error |
# | `reset_hooks()` takes off everything | somebody else's intervention is gone |
# | the name of the site is misspelt | no error: clean logits come back, and the dictionary looks perfect |
# | BOS is spliced too | the dictionary never saw a BOS: what it makes of it can harm every later token |
#
# Which positions? Those where `mask` is True. Elsewhere the activation stays as it was. (So a mask of one True is a
# splice at a single token.) At most hook points $x$ has the shape [batch, pos, d_in]. At `attn.hook_z`, where each head
# has its own output, it is [batch, pos, head, d_head], and a dictionary there reads the heads one after another, as one
# vector of head · d_head numbers.
#
# ## Rank and probability
#
# Then the answer. Its *rank* in a forecast is the number of tokens with a larger logit: 0 if the answer comes first.
# Prompts have different lengths, and shorter ones are filled up on the right, so a prompt's forecast stands at *its*
# last token, not at position −1.
#
# | forecast | answer | rank, probability |
# |---|---|---|
# | logits 2, 0, 1 | the third | 1, $e/(e^2+1+e)=0.24$ |
# | the same number for all $V$ tokens | any | 0, $1/V$ |


# %% exercise="run_spliced" points=4 minutes=35 difficulty=2 importance=5
def run_spliced(
    model, sae, site: str, tokens: Int[Tensor, "batch pos"], mask: Bool[Tensor, "batch pos"]
) -> Float[Tensor, "batch pos vocab"]:
    """The model's logits with sae.decode(sae.encode(x)) in place of the activation x at `site`, where mask is True.

    Where mask is False, x stays what it was. x is [batch, pos, d_in], or [batch, pos, head, d_head] at attn.hook_z: the
    dictionary takes and gives the heads as one axis. Afterwards the model is as it was before, also if something
    raised: our hook is gone, and hooks that others put there are still on. Raises ValueError if the model has no such
    hook point.

    >>> here = lab("pocket")
    >>> site, tokens = here.sites[0], here.tokens(2, 8)
    >>> logits = run_spliced(here.model, here.dictionary(site), site, tokens, tokens < 0)
    >>> torch.equal(logits, here.model(tokens))  # the mask has no True
    True
    """
    # BEGIN SOLUTION
    reached = []

    def splice(x, hook):
        reached.append(hook)
        flat = x.flatten(2)  # batch pos d_in
        spliced = torch.where(mask[..., None], sae.decode(sae.encode(flat)), flat)
        return spliced.reshape(x.shape)

    logits = model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")
    if not reached:
        raise ValueError(f"The model has no hook point {site!r}: nothing was spliced.")
    return logits
    # END SOLUTION


def answer_rank(
    logits: Float[Tensor, "batch pos vocab"], last: Int[Tensor, "batch"], answers: Int[Tensor, "batch"]
) -> tuple[Int[Tensor, "batch"], Float[Tensor, "batch"]]:
    """(rank, probability) of each prompt's answer in the forecast at its last token.

    The rank is the number of tokens with a larger logit than the answer's, so 0 means that none is more probable.

    >>> logits = torch.tensor([[[2.0, 0.0, 1.0], [9.0, 9.0, 9.0]]])
    >>> answer_rank(logits, torch.tensor([0]), torch.tensor([2]))
    (tensor([1]), tensor([0.2447]))
    """
    # BEGIN SOLUTION
    forecast = logits[torch.arange(len(last)), last]  # batch vocab
    logit = forecast.gather(1, answers[:, None])  # batch 1
    probability = forecast.softmax(dim=1).gather(1, answers[:, None])
    return (forecast > logit).sum(dim=1), probability[:, 0]
    # END SOLUTION


# %%
check(run_spliced, answer_rank)

# %% [markdown] hint=1
# Which method of the model puts a hook on for one run only? What has the hook to return, and of which shape? And how
# could you notice that it was never called? For the rank: must you sort?

# %% [markdown] hint=2
# `model.run_with_hooks(tokens, fwd_hooks=[(site, function)], return_type="logits")` takes the function off again, also
# after an error, and leaves other hooks alone. `x.flatten(2)` is [batch, pos, d_in] at every site, and
# `torch.where(mask[..., None], a, b)` chooses token by token. A list that the function appends to tells whether it ran.
# `logits[torch.arange(len(last)), last]` is one forecast per prompt.

# %% [markdown] hint=3
# In the function: `flat = x.flatten(2)`, then `torch.where` between `sae.decode(sae.encode(flat))` and `flat`; which
# shape must go back to the model? Raise if the list is still empty after the run. With
# `logit = forecast.gather(1, answers[:, None])`, the rank counts where `forecast > logit`; over which axis?

# %% [markdown]
# First a look at one answer. Two dictionaries take the place of the activation after layer 1: the trained one, and one
# of as many random directions, which in chapter 2 (section 5) recovered most of the loss.

# %%
guess_random = predict("Random directions spliced in: for what share of the people is the sport still first?", ...)

# %%
PROMPT = 0  # look at others

acts = pocket.activations(SITE, pocket.tokens(32, 128, seed=1))[:, 1:].flatten(0, 1)
chance = scores.random_dictionary(acts, 8, 1024)
masks = {}
for name, some in prompts.items():
    masks[name] = torch.ones_like(some.tokens, dtype=torch.bool)
    masks[name][:, 0] = False  # BOS
clean = {name: model(some.tokens).detach() for name, some in prompts.items()}


def spliced_logits(name: str, sae) -> Tensor:
    some = prompts[name]
    return run_spliced(model, sae, SITE, some.tokens, masks[name]).detach()


def share_first(name: str, logits: Tensor) -> float:
    """The share of prompts whose answer comes first."""
    some = prompts[name]
    rank, _ = answer_rank(logits, some.last, some.answers)
    return (rank == 0).double().mean().item()


people = prompts["a sport"]
print(people.text[PROMPT])
columns = {
    "the model": clean["a sport"],
    "dictionary spliced in": spliced_logits("a sport", trained),
    "random directions": spliced_logits("a sport", chance),
}
tops = {}
for name, logits in columns.items():
    forecast = logits[PROMPT, people.last[PROMPT]].softmax(dim=-1)
    tops[name] = forecast.topk(5)
print("".join(f"{name:<28}" for name in tops))
for place in range(5):
    cells = []
    for top in tops.values():
        word = pocket.tokenizer.decode([int(top.indices[place])]).strip()
        cells.append(f"{word:<16}{top.values[place]:>6.3f}      ")
    print("".join(cells))
for name, logits in columns.items():
    rank, probability = answer_rank(logits, people.last, people.answers)
    first = (rank == 0).double().mean()
    print(f"{name}: the answer is first for {first:.0%}, its mean probability {probability.mean():.2f}")
guess_random.came_out(share_first("a sport", columns["random directions"]), within=0.1)

# %%
# What the text says of these two dictionaries.
assert share_first("a sport", columns["the model"]) > 0.95
assert share_first("a sport", columns["dictionary spliced in"]) > 0.85
assert share_first("a sport", columns["random directions"]) < 0.5

# %% [markdown]
# With the trained dictionary in its stream the model still names nearly every sport. With random directions it names
# few, and yet they recover most of the *loss*: most of the loss is grammar, and grammar survives almost anything. One
# number over all tokens hides what happened to the tokens you are asking about.
#
# ## How many latents does an answer need?
#
# Keep only the $k$ strongest latents at each token. At which $k$ does the model name half of the sports? Does it need
# more latents for a receiver ("… gave a book to"), who is named in the prompt, or for a sport, which is not?

# %%
guess_half = predict("How many latents per token until half of the sports come first again?", ..., "latents")


# %%
class Strongest:
    """A dictionary of which only the k strongest latents are left at each token."""

    def __init__(self, sae, k: int):
        self.sae, self.k = sae, k

    def encode(self, x: Tensor) -> Tensor:
        f = self.sae.encode(x)
        top = f.topk(self.k, dim=-1)
        return torch.zeros_like(f).scatter(-1, top.indices, top.values)

    def decode(self, f: Tensor) -> Tensor:
        return self.sae.decode(f)


KS = [1, 2, 3, 4, 5, 6, 8, 12, 16]

curves = {}
for name in prompts:
    curves[name] = [share_first(name, spliced_logits(name, Strongest(trained, k))) for k in KS]
for name, curve in curves.items():
    print(f"{name:<12}", "   ".join(f"{k}: {share:.2f}" for k, share in zip(KS, curve)))
half = next(k for k, share in zip(KS, curves["a sport"]) if share >= 0.5)
plots.line(
    KS,
    curves,
    title="Answers that come first, with the k strongest latents of each token",
    x_title="k, latents per token",
    y_title="share of the answers",
    markers=True,
)

# %%
guess_half.came_out(half, within=1)

# %%
# A few latents are enough, one is not.
assert all(curve[0] < 0.5 and curve[-1] > 0.85 for curve in curves.values()), curves

# %% [markdown]
# A handful of the 1,024 latents per token carries the answers; one or two do not. What this does **not** show is that
# those few *mean* the sport. They may be the person, the words so far, or whatever else the later layers look the sport
# up by. Which it is, the rest of this chapter asks.
#
# ## What hangs on BOS
#
# Every text begins with `<bos>`. Some tools put it in front of the prompt, some don't, and a notebook easily mixes
# both: one of the sources of this course tested its prompts with BOS and analysed them without. Nothing raises. The
# words are the same, each stands one position further left, and a *word* stands at position 0, where in training only
# BOS ever stood. **How many sports does the model itself, without any dictionary, still know?**

# %%
guess_bos = predict("The clean model without BOS: for what share of the people is the sport first?", ...)

# %%
for name, some in prompts.items():
    logits = model(some.tokens[:, 1:]).detach()
    rank, _ = answer_rank(logits, some.last - 1, some.answers)
    without = (rank == 0).double().mean().item()
    print(f"{name:<12} with BOS {share_first(name, clean[name]):.2f}, without {without:.2f}")
    assert without < 0.7, without  # .27 and .19 seen
    if name == "a sport":
        guess_bos.came_out(without, within=0.15)

# %%
# And a dictionary that is spliced in at BOS too, before the first layer.
early = pocket.sites[0]
first_dictionary = pocket.dictionary(early).requires_grad_(False)
bos = model.run_with_cache(people.tokens, names_filter=early)[1][early][:, 0].detach()
error = first_dictionary(bos) - bos
print(f"{early}: of BOS the dictionary misses {error.square().sum() / bos.square().sum():.0%} of the squared length")
for what, mask in {"BOS left alone": masks["a sport"], "BOS spliced too": torch.ones_like(masks["a sport"])}.items():
    logits = run_spliced(model, first_dictionary, early, people.tokens, mask).detach()
    print(f"{what:<16} the sport is first for {share_first('a sport', logits):.2f}")

# %% [markdown]
# The model needs its BOS. Attention has to look somewhere, and in training BOS was always there to look at (chapter 2,
# section 2). Without it the same words give other activations, other latents, and other answers. So before you believe
# any analysis, print the first token of what went in, and the rank of the answer that should come out.
#
# ## With the ecosystem's tools
#
# [SAELens](https://github.com/decoderesearch/SAELens) reads this course's dictionaries, and its `SAETransformerBridge`
# is a model that they can be attached to. It shares no code with your splice. It has no mask: it splices at every
# position, BOS included.

# %%
from sae_lens import SAE, SAETransformerBridge

from saelab.labs import assets

theirs = SAETransformerBridge.boot_transformers(str(assets.path("model")), device="cpu", tokenizer=pocket.tokenizer)
their_sae = SAE.load_from_disk(str(assets.path(f"dictionaries/{SITE}/batchtopk")))
with torch.no_grad():
    logits = theirs.run_with_saes(people.tokens, saes=[their_sae])
    ours = run_spliced(model, trained, SITE, people.tokens, torch.ones_like(masks["a sport"]))
difference = (logits - ours).abs().max()
print(f"largest difference between their logits and yours: {difference:.1e}, of logits up to {ours.abs().max():.0f}")
assert difference < 1e-5 * ours.abs().max()

# %% [markdown]
# One trap of these tools to know: `run_with_saes` takes the site from the dictionary's file, but a hook of your own
# with a misspelt name only logs a warning, and clean logits come back. Your function raises.
#
# Another one lies in the model, not in the tools. At `hook_resid_mid`, between attention and MLP, this version of
# TransformerLens lets you read the stream; what a hook returns there reaches the MLP only, and the stream itself goes
# on as it was. So a splice there is half a splice. Whenever you intervene at a new kind of hook point, put zeros there
# first and look at what comes out further down.

# %%
# Zeros at hook_resid_mid: the stream after the layer should then be what the MLP writes, and nothing else.
watched = ["blocks.1.hook_mlp_out", "blocks.1.hook_resid_post"]
with torch.no_grad(), model.hooks(fwd_hooks=[("blocks.1.hook_resid_mid", lambda x, hook: torch.zeros_like(x))]):
    _, cache = model.run_with_cache(people.tokens, names_filter=watched)
rest = cache["blocks.1.hook_resid_post"] - cache["blocks.1.hook_mlp_out"]
print(f"left of the stream that was set to zero: a mean length of {rest.norm(dim=-1).mean():.1f}")
assert rest.norm(dim=-1).mean() > 1

# %% [markdown]
# **An experiment of your own.** Choose a kind of prompt, a site (`pocket.sites` has all of them; leave out the
# `resid_mid` ones), and how many latents may stay. How many answers survive?

# %%
my_kind = "a receiver"
my_site = "blocks.2.hook_resid_post"
my_k = 3  # latents per token

guess_mine = predict(
    f"{my_kind}, {my_k} latents per token at {my_site}: what share of the answers is still first?", ...
)

# %%
some = prompts[my_kind]
few = Strongest(pocket.dictionary(my_site).requires_grad_(False), my_k)
with torch.no_grad():
    logits = run_spliced(model, few, my_site, some.tokens, masks[my_kind])
guess_mine.came_out(share_first(my_kind, logits), within=0.1)

# %% [markdown]
# ## On a real model
#
# The same function on gpt2-small, with a public dictionary ([Bloom
# 2024](https://www.lesswrong.com/posts/f9EgfLSurAiqRJySD/open-source-sparse-autoencoders-for-all-residual-stream)) for
# what enters its layer 8, and capitals for sports. It needs a connection to a model hub, and half a gigabyte.

# %%
gpt2 = lab("gpt2-small")
try:
    gpt2.model
except (FileNotFoundError, MemoryError) as error:
    print(f"Skipped: {error}")
else:
    site = "blocks.8.hook_resid_pre"
    capitals = gpt2.prompts("facts", 32)
    mask = torch.ones_like(capitals.tokens, dtype=torch.bool)
    mask[:, 0] = False
    with torch.no_grad():
        columns = {
            "gpt2-small": gpt2.model(capitals.tokens),
            "dictionary spliced in": run_spliced(gpt2.model, gpt2.dictionary(site), site, capitals.tokens, mask),
        }
    for name, logits in columns.items():
        rank, probability = answer_rank(logits, capitals.last, capitals.answers)
        print(f"{name}: median rank {rank.median()}, mean probability {probability.mean():.2f}")


# %% misconception="run_spliced"
def mask_is_ignored(model, sae, site, tokens, mask):
    "The reconstruction went in at every position. Where mask is False, at BOS and padding, x has to stay what it was."
    return run_spliced(model, sae, site, tokens, torch.ones_like(mask))


# %% misconception="run_spliced"
def zeros_outside_the_mask(model, sae, site, tokens, mask):
    "Where mask is False the model got zeros, not the activation that was there. Choose with `torch.where`."

    def splice(x, hook):
        flat = x.flatten(2)
        return (sae.decode(sae.encode(flat)) * mask[..., None]).reshape(x.shape)

    run_spliced(model, sae, site, tokens, mask)
    return model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")


# %% misconception="run_spliced"
def logits_chosen_by_the_mask(model, sae, site, tokens, mask):
    "The mask chose among logits: a token outside it reads the spliced tokens before it all the same. Choose among x."
    spliced = run_spliced(model, sae, site, tokens, torch.ones_like(mask))
    return torch.where(mask[..., None], spliced, model(tokens))


# %% misconception="run_spliced"
def hook_returns_nothing(model, sae, site, tokens, mask):
    "The logits are the clean ones: the reconstruction never reached the model. A hook has to return what goes on."
    run_spliced(model, sae, site, tokens, mask)
    return model(tokens)


# %% misconception="run_spliced"
def reconstruction_is_added(model, sae, site, tokens, mask):
    "The reconstruction was added to x. It has to take its place: later layers read x̂ alone."

    def splice(x, hook):
        flat = x.flatten(2)
        return torch.where(mask[..., None], flat + sae.decode(sae.encode(flat)), flat).reshape(x.shape)

    run_spliced(model, sae, site, tokens, mask)
    return model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")


# %% misconception="run_spliced"
def output_for_input(model, sae, site, tokens, mask):
    "The splice sits at the wrong side of the layer: what leaves it (resid_post) is not what enters it (resid_pre)."
    return run_spliced(model, sae, site.replace("resid_pre", "resid_post"), tokens, mask)


# %% misconception="run_spliced"
def heads_one_by_one(model, sae, site, tokens, mask):
    "At attn.hook_z the heads went in one by one. The dictionary reads them as one vector: `x.flatten(2)`, and back."

    def splice(x, hook):
        return torch.where(mask[..., None], sae.decode(sae.encode(x)), x)

    if site not in model.hook_dict:
        raise ValueError(f"no {site}")
    return model.run_with_hooks(tokens, fwd_hooks=[(site, splice)], return_type="logits")


# %% misconception="run_spliced"
def hook_stays(model, sae, site, tokens, mask):
    "The hook is still on the model after the call, so the next run is spliced too. `run_with_hooks` takes it off."

    def splice(x, hook):
        flat = x.flatten(2)
        return torch.where(mask[..., None], sae.decode(sae.encode(flat)), flat).reshape(x.shape)

    if site not in model.hook_dict:
        raise ValueError(f"no {site}")
    model.add_hook(site, splice)
    return model(tokens)


# %% misconception="run_spliced"
def hook_stays_after_an_error(model, sae, site, tokens, mask):
    "After an error the hook is still on the model: the line that takes it off was never reached. Use `run_with_hooks`."

    def splice(x, hook):
        flat = x.flatten(2)
        return torch.where(mask[..., None], sae.decode(sae.encode(flat)), flat).reshape(x.shape)

    if site not in model.hook_dict:
        raise ValueError(f"no {site}")
    point = model.hook_dict[site]
    point.add_hook(splice)
    logits = model(tokens)
    point.fwd_hooks.pop().hook.remove()
    return logits


# %% misconception="run_spliced"
def others_hooks_are_removed(model, sae, site, tokens, mask):
    "`reset_hooks()` took off a hook that was not yours, and with it somebody's intervention. Take off your own only."
    model.reset_hooks()
    return run_spliced(model, sae, site, tokens, mask)


# %% misconception="run_spliced"
def misspelt_site_goes_unnoticed(model, sae, site, tokens, mask):
    "A hook point that does not exist gave clean logits. Nothing was spliced, so say so: raise ValueError."
    return run_spliced(model, sae, site, tokens, mask) if site in model.hook_dict else model(tokens)


# %% misconception="run_spliced" part="answer_rank"
def forecast_at_the_last_position(logits, last, answers):
    "The forecast was read at position -1. Shorter prompts are filled up on the right: each has its own `last`."
    return answer_rank(logits, torch.full_like(last, logits.shape[1] - 1), answers)


# %% misconception="run_spliced" part="answer_rank"
def rank_starts_at_one(logits, last, answers):
    "The best answer has rank 1 here. The rank is the number of tokens with a larger logit, and there are none: 0."
    rank, probability = answer_rank(logits, last, answers)
    return rank + 1, probability


# %% misconception="run_spliced" part="answer_rank"
def token_at_the_rank(logits, last, answers):
    "`argsort(…)[answer]` is the token that stands at place number `answer`. Asked is the place of the answer."
    _, probability = answer_rank(logits, last, answers)
    order = logits[torch.arange(len(last)), last].argsort(dim=1, descending=True)
    return order.gather(1, answers[:, None])[:, 0], probability


# %% misconception="run_spliced" part="answer_rank"
def smaller_logits_counted(logits, last, answers):
    "The tokens with a *smaller* logit were counted, so a good answer has a high rank. Count the larger ones."
    _, probability = answer_rank(logits, last, answers)
    return answer_rank(-logits, last, answers)[0], probability


# %% misconception="run_spliced" part="answer_rank"
def equal_logits_counted(logits, last, answers):
    "Tokens with an equal logit were counted, the answer itself among them. Only those with a larger one count."
    _, probability = answer_rank(logits, last, answers)
    forecast = logits[torch.arange(len(last)), last]
    return (forecast >= forecast.gather(1, answers[:, None])).sum(dim=1), probability


# %% misconception="run_spliced" part="answer_rank"
def logit_for_probability(logits, last, answers):
    "The second result is the answer's logit. A probability comes after softmax over the vocabulary."
    rank, _ = answer_rank(logits, last, answers)
    return rank, logits[torch.arange(len(last)), last, answers]


# %% alternative="run_spliced"
def with_a_context(model, sae, site, tokens, mask):
    if site not in model.hook_dict:
        raise ValueError(f"{site} is no hook point of this model")

    def splice(x, hook):
        out = x.clone()
        out[mask] = sae.decode(sae.encode(x[mask].flatten(1))).reshape(-1, *x.shape[2:])
        return out

    with model.hooks(fwd_hooks=[(site, splice)]):
        return model(tokens)


# %% alternative="run_spliced"
def taking_its_own_hook_off(model, sae, site, tokens, mask):
    if site not in model.hook_dict:
        raise ValueError(site)
    point = model.hook_dict[site]

    def splice(module, inputs, x):
        error = sae.decode(sae.encode(x.flatten(2))).reshape(x.shape) - x
        return x + error * mask.reshape(*mask.shape, *[1] * (x.ndim - 2))

    handle = point.register_forward_hook(splice)
    try:
        return model(tokens)
    finally:
        handle.remove()


# %% alternative="run_spliced" part="answer_rank"
def one_prompt_at_a_time(logits, last, answers):
    ranks, probabilities = [], []
    for row, position, answer in zip(logits, last.tolist(), answers.tolist()):
        ranks.append(sum(bool(other > row[position, answer]) for other in row[position]))
        probabilities.append(row[position].exp()[answer] / row[position].exp().sum())
    return torch.tensor(ranks), torch.stack(probabilities)
