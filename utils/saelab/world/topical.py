"""Words that a document's topic chooses, in every family of sentences that has a place for them."""

import numpy as np

from saelab.world import words as w
from saelab.world.draw import Array, Bag, Draw, Said
from saelab.world.topics import TOPICS

CLASSES = {"who": w.WHO, "thing": w.THING, "place": w.PLACE, "verb": w.VERB, "adj": w.ADJ}
TOPIC_NAMES = tuple(TOPICS)
PRIOR = Bag(TOPIC_NAMES, exponent=0.5)  # how common topics are
BACKGROUND = 0.25  # share of these words that have nothing to do with the topic


def _table(part: str, bag: Bag) -> Array:
    """log P(word | topic) for one class of words, [topics, words]: weight 1/(rank + 2) in the topic's list."""
    table = np.full((len(TOPICS), len(bag)), BACKGROUND / len(bag))
    for z, topic in enumerate(TOPICS.values()):
        listed = getattr(topic, part).split()
        weight = 1 / (np.arange(len(listed)) + 2)
        table[z, [bag.words.index(word) for word in listed]] += (1 - BACKGROUND) * weight / weight.sum()
    return np.log(table)


LOG_P = {part: _table(part, bag) for part, bag in CLASSES.items()}

# Words with a sense of their own in each topic that has them.
SENSES = [
    (word, name)
    for word in ("pitch", "club", "battery", "cell", "match", "bat")
    for name, topic in TOPICS.items()
    if word in topic.thing.split()
]
_SENSE_OF = np.full((len(TOPICS), len(w.THING)), -1)
for _i, (_word, _topic) in enumerate(SENSES):
    _SENSE_OF[TOPIC_NAMES.index(_topic), w.THING.words.index(_word)] = _i


def say(d: Draw, text: str, **slots: Array | int) -> Said:
    """Say a phrase whose slots {who}, {thing}, {place}, {verb}, {adj} are drawn from the document's topic."""
    parts = [part for part in CLASSES if "{" + part + "}" in text]
    drawn = {part: d.pick_given(LOG_P[part], part, d.topic) for part in parts}
    said = d.say(text, **slots, **{part: d.ids(CLASSES[part])[i] for part, i in drawn.items()})
    places = [said[part] for part in parts]
    d.settle("topic", *places)
    d.settle("theme", *places)
    if "thing" in drawn:
        d.mark(
            [f"sense: {word} ({topic})" for word, topic in SENSES], said["thing"], _SENSE_OF[d.topic, drawn["thing"]]
        )
    return said
