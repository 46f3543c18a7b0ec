"""The plots of docs/pocket_model.md, each from the manifest alone: SVGs that come out the same every time."""

import io
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from evaluation_page import COMPARED, NAMES, about_compared, at_site, found, kinds_of, series, sites_of
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# Okabe and Ito's colours; every series has a marker of its own as well
STYLES = {
    "best of all sites": ("#000000", "D", "-"),
    "the model": ("#0072B2", "o", "-"),
    "trained on shuffled text": ("#E69F00", "v", ":"),
    "random weights": ("#D55E00", "s", "--"),
    "random dictionary": ("#009E73", "^", "-."),
}
SETTINGS: dict[Any, Any] = {
    "svg.hashsalt": "pocket", "svg.fonttype": "path", "font.size": 9.5, "axes.spines.top": False,
    "axes.spines.right": False, "axes.grid": True, "grid.color": "#dddddd", "axes.axisbelow": True,
    "legend.frameon": False, "figure.facecolor": "white", "savefig.facecolor": "white",
}  # fmt: skip
FOUND = "share found (F1 ≥ 0.8)"
Manifest = dict[str, Any]


def figure(height: float, columns: int = 1, **more: Any) -> tuple[Figure, Any]:
    """A figure 720 pixels wide with `columns` panels."""
    return plt.subplots(1, columns, figsize=(7.2, height), layout="constrained", **more)


def by_frequency(manifest: Manifest) -> Figure:
    picture, panels = figure(3.6, 2, sharey=True, sharex=True)
    groups = {"token": "factors that follow from the token", "beyond": "all other factors"}
    for axes, (group, title) in zip(panels, groups.items()):
        for name, summary in series(manifest).items():
            colour, marker, line = STYLES[name]
            tenths = summary["deciles"][group]
            x = [math.sqrt(tenth["from"] * tenth["to"]) for tenth in tenths]
            axes.plot(x, [tenth["f1_0.8"] for tenth in tenths], line, color=colour, marker=marker, ms=5, label=name)
        axes.set(xscale="log", ylim=(-0.03, 1.03), xlabel="frequency (share of tokens)")
        axes.set_title(title, fontsize=9.5)
    panels[0].set_ylabel(FOUND)
    picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize=8.5)
    return picture


def by_kind(manifest: Manifest) -> Figure:
    picture, axes = figure(2.9)
    rows_of, kinds = series(manifest), kinds_of(manifest)
    for i, (name, summary) in enumerate(rows_of.items()):
        colour, marker, _ = STYLES[name]
        rows = summary["frequent"]["by_kind"]
        y = [row + (i - len(rows_of) / 2 + 0.5) * 0.13 for row in range(len(kinds))]
        axes.plot([rows[kind]["f1_0.8"] for kind in kinds], y, marker, color=colour, ms=6, label=name)
    labels = [f"{kind}\n({_any(rows_of)['frequent']['by_kind'][kind]['n']} factors)" for kind in kinds]
    axes.set(yticks=range(len(kinds)), yticklabels=labels, xlim=(-0.02, 1.02), xlabel=FOUND)
    axes.set_ylim(len(kinds) - 0.4, -0.6)
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5), fontsize=8.5)
    return picture


def by_site(manifest: Manifest) -> Figure:
    sites = sites_of(manifest)
    picture, panels = figure(1.2 + 0.22 * len(sites), 3, sharey=True)
    pairs = [(one, one["random_dictionary"]) for site in sites if (one := at_site(manifest, site))]
    shown: dict[str, Callable[[Manifest], float]] = {
        "share found, token": lambda one: found(one, "token"),
        "share found, beyond the token": lambda one: found(one, "beyond"),
        "FVU (share of variance)": lambda one: one["fvu"],
    }
    for axes, (label, value) in zip(panels, shown.items()):
        for name, figures in zip(("the model", "random dictionary"), zip(*pairs)):
            _dots(axes, [value(one) for one in figures], name)
        axes.set(xlabel=label, xlim=(-0.03, 1.03))
    panels[0].set(yticks=range(len(sites)), yticklabels=[site.replace("hook_", "") for site in sites])
    picture.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize=8.5)
    return picture


def architectures(manifest: Manifest) -> Figure:
    there = {arch: one for arch in NAMES if (one := at_site(manifest, COMPARED, arch))}
    picture, panels = figure(0.9 + 0.3 * len(there), 3, sharey=True)
    seeds = about_compared(manifest, "seeds").get("figures", {})
    shown: dict[str, tuple[str, Callable[[Manifest], float]]] = {
        "share found, token": ("factors.frequent.by_kind.token.f1_0.8", lambda one: found(one, "token")),
        "share found, beyond the token": ("factors.frequent.beyond.f1_0.8", lambda one: found(one, "beyond")),
        "FVU (share of variance)": ("fvu", lambda one: one["fvu"]),
    }
    for axes, (label, (key, value)) in zip(panels, shown.items()):
        values = [value(one) for one in there.values()]
        if key in seeds:
            axes.axvspan(seeds[key]["least"], seeds[key]["most"], color="#0072B2", alpha=0.18, lw=0)
        _dots(axes, values, "the model")
        axes.set(xlabel=label, xlim=(0, 1.15 * max(*values, 0.05)))
    labels = [f"{NAMES[arch]} (L0 {one['l0']:.1f})" for arch, one in there.items()]
    panels[0].set(yticks=range(len(there)), yticklabels=labels)
    return picture


def loss(manifest: Manifest) -> Figure | None:
    run = manifest.get("training", {}).get("model", {})
    entropy = manifest.get("gates", {}).get("model", {}).get("entropy")
    if not run.get("losses") or entropy is None:
        return None
    millions = run["tokens"] / run["steps"] / 1e6  # tokens a step
    picture, axes = figure(3.0)
    x, y = zip(*((step * millions, value) for step, value in run["losses"]))
    axes.plot(x, y, color="#0072B2", lw=1.2, label="loss")
    axes.axhline(entropy, color="#D55E00", ls="--", label=f"entropy of the grammar, {entropy:.3f}")
    axes.set(xscale="log", xlabel="tokens read (millions)", ylabel="loss (nats a token)", ylim=(1, None))
    axes.legend(fontsize=8.5)
    return picture


def dictionary(manifest: Manifest) -> Figure | None:
    record = manifest.get("training", {}).get(f"dictionaries/{COMPARED}/batchtopk", {})
    if not record.get("curves"):
        return None
    picture, panels = figure(2.6, 3)
    names = {"fvu": "FVU (share of variance)", "l0": "L0 (latents on a token)", "dead": "dead (share of latents)"}
    for axes, (key, label) in zip(panels, names.items()):
        curve = record["curves"][key]
        axes.plot(record["steps_recorded"][1:], curve[1:], color="#0072B2", lw=1.4)  # at step 0 nothing is trained
        axes.set(xlabel="step", ylabel=label, ylim=(0, 1.15 * max(*curve[1:], 0.05)), xlim=(0, None))
    return picture


def _dots(axes: Axes, x: list[float], name: str) -> None:
    colour, marker, _ = STYLES[name]
    axes.plot(x, range(len(x)), marker, color=colour, ms=6, label=name)
    axes.set_ylim(len(x) - 0.4, -0.6)  # the first row on top


def _any(series: dict[str, Any]) -> Any:
    return next(iter(series.values()))


PLOTS: dict[str, Callable[[Manifest], Figure | None]] = {
    "by_frequency": by_frequency, "by_kind": by_kind, "by_site": by_site,
    "architectures": architectures, "loss": loss, "dictionary": dictionary,
}  # fmt: skip


def draw(name: str, manifest: Manifest, kind: str = "svg") -> bytes | None:
    """One plot as the bytes of a file ("svg" or "png"), or None where the manifest lacks its figures."""
    if not manifest.get("quality") and name not in ("loss", "dictionary"):
        return None
    with plt.rc_context(SETTINGS):
        picture = PLOTS[name](manifest)
        if picture is None:
            return None
        content = io.BytesIO()
        metadata: dict[str, Any] = {"Date": None, "Creator": None} if kind == "svg" else {"Software": None}
        picture.savefig(content, format=kind, dpi=100, metadata=metadata)
        plt.close(picture)
    return content.getvalue()


def write(manifest: Manifest, folder: Path) -> None:
    """All plots that the manifest has figures for, as SVGs in a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PLOTS:
        content = draw(name, manifest)
        if not content:
            (folder / f"{name}.svg").unlink(missing_ok=True)
        else:
            (folder / f"{name}.tmp").write_bytes(content)
            os.replace(folder / f"{name}.tmp", folder / f"{name}.svg")
