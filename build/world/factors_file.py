"""`factors.json` of the assets: the F1 and the best latent of every factor in every SAE."""

import json

from held_out import held_out

from saelab import scores
from saelab.files import write_atomically
from saelab.labs import assets


def remembered() -> dict:
    """The content of factors.json, if it is about the same factors."""
    truth, file = held_out(), assets.ROOT / "factors.json"
    frequency = [float(f"{f:.3g}") for f in truth.frequency.tolist()]
    fresh = {"factors": truth.names, "kinds": truth.kinds, "frequency": frequency}
    old = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if old.get("frequency") != frequency:
        old = {"f1": {}, "latent": {}}
    return fresh | {key: old[key] for key in ("f1", "latent")}


def remember(name: str, best: scores.FactorF1) -> None:
    content = remembered()
    content["f1"][name] = [round(value, 3) for value in best.f1.tolist()]
    content["latent"][name] = best.latent.tolist()
    write_atomically(assets.ROOT / "factors.json", json.dumps(content))
    assets.record("factors.json")
