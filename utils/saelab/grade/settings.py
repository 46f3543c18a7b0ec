"""What a grade depends on besides the submission: seed, exercises, limits; and a fingerprint of it with the checks."""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from saelab import __version__, content

from .jail import Limits

LEAST = 5.0  # seconds that every exercise has, as long as the submission has any left


@dataclass(frozen=True)
class Settings:
    """What a grade depends on, besides the submission and the checks."""

    seed: str
    exercises: tuple[str, ...]
    trials: int = 2  # runs of an exercise's checks, with other numbers each
    seconds: float = 60.0  # for one exercise, as long as none has taken too long
    deadline: float = 300.0  # seconds for one submission
    partial: bool = True
    jailed: bool = True
    limits: Limits = field(default_factory=Limits)

    def patience(self, late: int) -> float:
        """Seconds for an exercise when `late` others of the submission have taken too long: half as many after each.

        So whoever sleeps everywhere doesn't sleep for long, and an answer behind endless loops still has its time.
        """
        return max(min(self.seconds, LEAST), self.seconds / 2**late)

    @property
    def longest(self) -> float:
        """Seconds that one submission may take: as if every exercise took too long, or else the deadline."""
        return min(self.deadline, sum(map(self.patience, range(len(self.exercises)))))

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
