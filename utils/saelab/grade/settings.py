"""What a grade depends on besides the submission: seed, exercises, limits; and a fingerprint of it with the checks."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from saelab import __version__, content

from .jail import Limits


@dataclass(frozen=True)
class Settings:
    """What a grade depends on, besides the submission and the checks."""

    seed: str
    exercises: tuple[str, ...]
    trials: int = 2  # runs of an exercise's checks, with other numbers each
    seconds: float = 120.0  # for one exercise
    deadline: float = 1200.0  # seconds for one submission
    partial: bool = True
    jailed: bool = True
    limits: Limits = field(default_factory=Limits)

    @cached_property
    def fingerprint(self) -> dict[str, str]:
        """What a record says of these settings and of the checks; a record with another one is out of date."""
        chapters = sorted({name.partition("/")[0] for name in self.exercises})
        files = [p for c in chapters for k in ("tests", "chapters") for p in (content.root() / k / c).glob("*.py")]
        checks_hash = hashlib.sha256(b"\0".join(p.name.encode() + p.read_bytes() for p in sorted(files))).hexdigest()
        said = f"{self.seed}/{self.exercises}/{self.trials}/{self.seconds}/{self.deadline}/{self.partial}"
        said += f"/{self.limits}"
        return {
            "saelab": __version__,
            "checks": checks_hash,
            "settings": hashlib.sha256(said.encode()).hexdigest()[:16],
        }
