"""docs/pocket_model.md from the manifest alone: what the pocket model and its dictionaries do, and what is missing."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from evaluation_words import CAPTIONS, HEAD, INTROS, LIMITS

from saelab.files import write_atomically

Manifest = dict[str, Any]
COMPARED = "blocks.1.hook_resid_post"  # where architectures, seeds and controls are compared
NAMES = {
    "standard": "Standard (L1)",
    "gated": "Gated",
    "jumprelu": "JumpReLU",
    "topk": "TopK",
    "batchtopk": "BatchTopK",
    "matryoshka": "Matryoshka",
}
CONTROLS = {
    "second_seed": "another seed of the model",
    "shuffled_tokens": "trained on shuffled text",
    "random_weights": "random weights",
}
BASICS = ["FVU", "L0", "dead", "cosine", "CE recovered (mean)"]
FACTORS = ["found", "found, beyond the token", "mean F1, beyond the token"]


def page(manifest: Manifest) -> str:
    """The whole page as Markdown; a section without figures is left out."""
    sections = (model, sites, truth, controls, architectures, seeds, transcoders, crosscoders, absorption)
    parts = [part for section in sections for part in section(manifest)]
    return "\n\n".join(part.strip() for part in [HEAD, *parts, LIMITS] if part) + "\n"


def write(manifest: Manifest, docs: Path) -> None:
    """The page and its plots, below the folder `docs`."""
    import evaluation_plots

    docs.mkdir(parents=True, exist_ok=True)
    evaluation_plots.write(manifest, docs / "plots")
    write_atomically(docs / "pocket_model.md", page(manifest))


# What the sections and the plots look up


def quality(manifest: Manifest, name: str) -> dict[str, Any] | None:
    return manifest.get("quality", {}).get(name)


def at_site(manifest: Manifest, site: str, architecture: str = "batchtopk") -> dict[str, Any] | None:
    """Quality of the model's dictionary at a site."""
    return quality(manifest, f"dictionaries/{site}/{architecture}")


def of_control(manifest: Manifest, kind: str) -> dict[str, Any] | None:
    """Quality of a control's dictionary at the compared site."""
    return quality(manifest, f"controls/{kind}/dictionaries/{COMPARED}/batchtopk")


def about_compared(manifest: Manifest, section: str) -> dict[str, Any]:
    """What a section says of all dictionaries at the compared site."""
    return manifest.get(section, {}).get(f"dictionaries/{COMPARED}", {})


def sites_of(manifest: Manifest) -> list[str]:
    """Sites with a BatchTopK dictionary, in the order in which the model reaches them."""
    matches = [re.fullmatch(r"dictionaries/([^/]+)/batchtopk", name) for name in manifest.get("quality", {})]
    order = ("resid_pre", "hook_z", "resid_mid", "mlp_out", "resid_post")
    names = [match[1] for match in matches if match]
    return sorted(names, key=lambda s: (s.split(".")[1], next((i for i, kind in enumerate(order) if kind in s), 9)))


def found(figures: dict[str, Any], group: str = "") -> float:
    """Share of frequent factors with a latent of F1 ≥ 0.8: of all, of those "beyond" the token, or of a kind."""
    frequent = figures["factors"]["frequent"]
    return (frequent | frequent["by_kind"]).get(group, frequent)["f1_0.8"]


def series(manifest: Manifest) -> dict[str, dict[str, Any]]:
    """Factor figures to set beside each other: of all sites together, the model, two controls, random directions."""
    own = at_site(manifest, COMPARED)
    rows = {"best of all sites": manifest.get("best", {}).get("dictionaries"), "the model": own and own["factors"]}
    for kind in ("shuffled_tokens", "random_weights"):
        other = of_control(manifest, kind)
        rows[CONTROLS[kind]] = other and other["factors"]
    rows["random dictionary"] = own and own["random_dictionary"]["factors"]
    return {name: summary for name, summary in rows.items() if summary}


def kinds_of(manifest: Manifest) -> list[str]:
    """Kinds of factors that are asked for."""
    return sorted({kind for one in series(manifest).values() for kind in one["frequent"]["by_kind"]})


# The sections: each a list of paragraphs, empty where the manifest lacks its figures


def model(manifest: Manifest) -> list[str]:
    gates = manifest.get("gates", {})
    if "model" not in gates:
        return []
    both = [gates[name] for name in ("model", "controls/second_seed/model") if name in gates]
    failed = both[0]["failures"]
    told = "Gates that are not met: " + " ".join(failed) if failed else "All gates of `build/world/gates.py` are met."
    keys = [key for key, value in both[0].items() if isinstance(value, float)]
    rows = [[key.replace("_", " "), *(number(one.get(key)) for one in both)] for key in keys]
    head = ["figure", "the model", "another seed"][: 1 + len(both)]
    plot = [image("loss")] if manifest.get("training", {}).get("model", {}).get("losses") else []
    return ["## The model", told, table(head, rows), *plot, INTROS["superposition"].format(**both[0]["superposition"])]


def sites(manifest: Manifest) -> list[str]:
    rows = []
    for site in sites_of(manifest):
        one = at_site(manifest, site) or {}
        null, zero = one["random_dictionary"], number(one["cross_entropy"]["against_zero"])
        by_chance = [percent(found(null, "beyond")), number(null["fvu"])]
        rows.append([f"`{site}`", *basics(one), zero, *factors(one), *by_chance])
    head = ["site", *BASICS, "(zero)", *FACTORS, "random: beyond", "random: FVU"]
    return ["## A dictionary at every site", INTROS["sites"], table(head, rows), image("by_site")] if rows else []


def truth(manifest: Manifest) -> list[str]:
    all_series, kinds, own = series(manifest), kinds_of(manifest), at_site(manifest, COMPARED)
    if not own:
        return []
    rows = [
        [
            name,
            *(f"{percent(one[often]['f1_0.8'])} · {percent(one[often]['f1_0.9'])}" for often in ("frequent", "all")),
            *(percent(one["frequent"]["by_kind"][kind]["f1_0.8"]) for kind in kinds),
        ]
        for name, one in all_series.items()
    ]
    mine = own["factors"]
    counts = [f"{kind} ({mine['frequent']['by_kind'][kind]['n']})" for kind in kinds]
    head = ["dictionary", f"frequent ({mine['frequent']['n']})", f"all ({mine['all']['n']})", *counts]
    return [
        "## Against the truth",
        INTROS["truth"].format(site=COMPARED),
        table(head, rows),
        image("by_frequency"),
        image("by_kind"),
        *_which(mine, manifest.get("best", {}).get("dictionaries"), about_compared(manifest, "idle")),
    ]


def _which(mine: dict[str, Any], best: dict[str, Any] | None, idle: dict[str, Any]) -> list[str]:
    """Single factors: those that fail, and where the others are found."""
    worst = ", ".join(f"{one['factor']} ({one['f1']:.2f})" for one in mine["worst"])
    lines = [f"The frequent factors that fare worst, with F1: {worst}."]
    if idle:
        at_work, everywhere = (number(idle[which]["mean_f1"]) for which in ("asked_where_at_work", "asked_everywhere"))
        lines.append(
            f"The {idle['asked_everywhere']['n']} factors that are at work only at some of their tokens have a mean F1 "
            f"of {at_work}; asked at every token, {everywhere}."
        )
    if best:
        where = sorted(best["best_at"].items(), key=lambda item: -item[1])
        told = ", ".join(f"`{site}` {wins}" for site, wins in where if wins)
        lines.append(f"Frequent factors that are found somewhere, by the site with the highest F1: {told}.")
    return lines


def controls(manifest: Manifest) -> list[str]:
    all_models = {"the model": at_site(manifest, COMPARED)}
    all_models |= {name: of_control(manifest, kind) for kind, name in CONTROLS.items()}
    rows = [[name, *basics(one), *factors(one)] for name, one in all_models.items() if one]
    if len(rows) < 2:
        return []
    return ["## Controls", INTROS["controls"].format(site=COMPARED), table(["model", *BASICS, *FACTORS], rows)]


def architectures(manifest: Manifest) -> list[str]:
    there = {name: one for arch, name in NAMES.items() if (one := at_site(manifest, COMPARED, arch))}
    if len(there) < 2:
        return []
    runs = manifest.get("training", {})
    steps = {name: runs.get(f"dictionaries/{COMPARED}/{arch}", {}).get("steps", "–") for arch, name in NAMES.items()}
    rows = [[name, steps[name], *basics(one), number(one["shrinkage"]), *factors(one)] for name, one in there.items()]
    head = ["architecture", "steps", *BASICS, "shrinkage", *FACTORS]
    return ["## Architectures", INTROS["architectures"].format(site=COMPARED), table(head, rows),
            image("architectures")]  # fmt: skip


def seeds(manifest: Manifest) -> list[str]:
    known = about_compared(manifest, "seeds")
    if not known:
        return []
    wanted = {
        "fvu": "FVU",
        "l0": "L0",
        "dead": "dead",
        "cross_entropy.against_mean": "CE recovered (mean)",
        "factors.frequent.f1_0.8": "found",
        "factors.frequent.beyond.f1_0.8": "found, beyond the token",
        "factors.frequent.beyond.mean_f1": "mean F1, beyond the token",
        **{f"factors.frequent.by_kind.{kind}.f1_0.8": f"found, {kind}" for kind in kinds_of(manifest)},
    }
    spread = {name: known["figures"][key] for key, name in wanted.items() if key in known["figures"]}
    rows = [[name, *(number(one[part]) for part in ("mean", "least", "most"))] for name, one in spread.items()]
    shared = percent(known["partner_of_cosine_0.9"])
    intro = INTROS["seeds"].format(n=known["seeds"], site=COMPARED, shared=shared)
    curves = manifest.get("training", {}).get(f"dictionaries/{COMPARED}/batchtopk", {}).get("curves")
    plot = [image("dictionary")] if curves else []
    return ["## Seeds", intro, table(["figure", "mean", "least", "most"], rows), *plot]


def transcoders(manifest: Manifest) -> list[str]:
    rows = []
    for name, one in sorted(manifest.get("quality", {}).items()):
        if name.startswith("transcoders/"):
            losses = (number(one["cross_entropy"][key]) for key in ("clean", "spliced", "mean", "zero"))
            rows.append([f"`{name.removeprefix('transcoders/')}`", *basics(one), *losses])
    head = ["transcoder", *BASICS, "loss: as it is", "transcoder", "mean", "zero"]
    return ["## Transcoders", INTROS["transcoders"], table(head, rows)] if rows else []


def crosscoders(manifest: Manifest) -> list[str]:
    lines = []
    for name, one in sorted(manifest.get("quality", {}).items()):
        if name.startswith("crosscoders/"):
            fvu = ", ".join(f"{number(value)} at `{site}`" for site, value in one["fvu"].items())
            split = ", ".join(f"{part} {percent(value)}" for part, value in one["share_of_norm_at_first"].items())
            lines.append(
                f"`{name}`: FVU {fvu}; L0 {one['l0']:.1f}; dead {percent(one['dead'])}. Live latents by the first "
                f"site's share of their decoder norm: {split}."
            )
    return ["## Crosscoders", *lines] if lines else []


def absorption(manifest: Manifest) -> list[str]:
    known = {NAMES[name]: one for name, one in about_compared(manifest, "absorption").items() if name in NAMES}
    if not known:
        return []
    halves = ("frequent", "rare")
    rows = []
    for name, one in known.items():
        absorbed = [f"{one['absorbed'][half]} of {one['children'][half]}" for half in halves]
        rows.append([name, one["parents"], *absorbed, *(percent(one["silent"][half]) for half in halves)])
    head = ["architecture", "broad factors", *(f"{what}, {half}" for what in ("absorbed", "silent") for half in halves)]
    return ["## Absorption", INTROS["absorption"], table(head, rows), *(_cases(*item) for item in known.items())]


def _cases(name: str, one: dict[str, Any], most: int = 6) -> str:
    """The clearest cases of absorption in one dictionary."""
    cases = [(family["parent"], case) for family in one["families"] for case in family["absorbed"]]
    if not cases:
        return f"{name}: no case meets these conditions."
    cases.sort(key=lambda pair: -pair[1]["silent"] * pair[1]["instead"] * pair[1]["on_others"])
    shares = ("silent", "instead", "on_others")
    rows = [
        [parent, case["child"], case["tokens"], *(percent(case[key]) for key in shares), number(case["cosine"])]
        for parent, case in cases[:most]
    ]
    head = ["broad", "narrow", "tokens", "broad silent", "narrow on instead", "broad on, others", "cosine"]
    told = f"{name}, the clearest first (cases: {len(cases)})."
    return f"{told}\n\n{table(head, rows)}"


# Pieces of Markdown


def basics(one: dict[str, Any]) -> list[str]:
    """The columns of BASICS."""
    ce = number(one["cross_entropy"]["against_mean"])
    return [number(one["fvu"]), f"{one['l0']:.1f}", percent(one["dead"]), number(one["cosine"]), ce]


def factors(one: dict[str, Any]) -> list[str]:
    """The columns of FACTORS."""
    beyond = number(one["factors"]["frequent"]["beyond"]["mean_f1"])
    return [percent(found(one)), percent(found(one, "beyond")), beyond]


def number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}" if abs(value) < 10 else f"{value:.1f}"


def percent(value: float | None) -> str:
    return "–" if value is None else f"{value:.0%}"


def table(head: list[str], rows: Iterable[list[Any]]) -> str:
    """A table whose first column is text and the others numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in lines)


def image(name: str) -> str:
    """A plot with what it shows and what it does not."""
    title = CAPTIONS[name].split("*")[1].rstrip(".")
    return f"![{title}](plots/{name}.svg)\n\n{CAPTIONS[name]}"
