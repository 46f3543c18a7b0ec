"""What Gradescope's submission_metadata.yml says of each submission: read as YAML, event by event, nothing is built."""

import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from .archive import clean
from .owners import GRADESCOPE, moment

BYTES = 50_000_000  # of the file; a class of 300 with its outputs has a few million
DEPTH = 50
UNREADABLE = "submission_metadata.yml can't be read ({why}), so this is known by Gradescope's number only."


@dataclass(frozen=True)
class About:
    """One submission: who handed it in, by which number or address, and when (ISO time, or "")."""

    student: str
    name: str
    submitted: str
    note: str = ""


def metadata(data: bytes) -> tuple[dict[str, About], str]:
    """(folder → what is said of it, a sentence where the file can't be read)."""
    try:
        import yaml
    except ImportError:
        return {}, UNREADABLE.format(why="the library PyYAML is missing: pip install pyyaml")
    if len(data) > BYTES:
        return {}, UNREADABLE.format(why=f"it is larger than {BYTES // 10**6} MB")
    values: dict[str, dict[str, dict[int, str]]] = defaultdict(lambda: defaultdict(dict))
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        for path, value in _scalars(yaml.parse(data, Loader=loader)):
            if path[1:2] == (":created_at",) and len(path) == 2:
                values[str(path[0])][":created_at"][0] = value
            elif path[1:2] == (":submitters",) and len(path) == 4 and value.strip():
                values[str(path[0])][str(path[3])][int(path[2])] = value.strip()
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        why = clean(re.sub(r"\s+", " ", str(getattr(error, "problem", None) or error)), 80)
        return {}, UNREADABLE.format(why=why)
    return {item: _about(item, said) for item, said in values.items()}, ""


def _scalars(events) -> Iterator[tuple[tuple, str]]:
    """(path, text) of every value: keys of mappings and places in lists, from the outside in."""
    import yaml

    frames: list[list] = []  # [is it a mapping?, key or place]; a key that is yet to come is None
    known: dict[str, str] = {}

    def step() -> None:
        if frames:
            frames[-1][1] = None if frames[-1][0] else frames[-1][1] + 1

    for event in events:
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            if len(frames) > DEPTH:
                raise ValueError("it is nested too deeply")
            if frames and frames[-1][1] is None:
                raise ValueError("a key is no text")
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            frames.append([is_mapping, None if is_mapping else 0])
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            frames.pop()
            step()
        elif isinstance(event, (yaml.ScalarEvent, yaml.AliasEvent)):
            text = known.get(event.anchor, "") if isinstance(event, yaml.AliasEvent) else event.value
            if isinstance(event, yaml.ScalarEvent) and event.anchor and len(known) < 100_000 and len(text) < 300:
                known[event.anchor] = text
            if frames and frames[-1][1] is None:
                frames[-1][1] = text
                continue
            yield tuple(frame[1] for frame in frames), text
            step()


def _about(item: str, said: dict[str, dict[int, str]]) -> About:
    submitted = moment(said[":created_at"].get(0, ""))
    people = sorted({place for key in (":name", ":sid", ":email") for place in said[key]})
    names = [said[":name"][place] for place in people if place in said[":name"]]
    known = [said[":sid"].get(place) or said[":email"].get(place, "") for place in people]
    if len(people) != 1 or not known[0]:
        match = GRADESCOPE.fullmatch(item)
        note = f"Handed in by a group: {', '.join(names)}." if len(people) > 1 else ""
        return About(match["id"] if match else item, ", ".join(names) or item, submitted, note)
    return About(known[0], names[0] if names else known[0], submitted)
