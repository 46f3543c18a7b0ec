"""Countries and their lists, shopping lists, ranges, dates, ages, months and weekdays that come round again."""

import numpy as np

from saelab.world import words as w
from saelab.world.draw import Array, Bag, Draw


def _triples(group_of: Array) -> tuple[Array, Bag]:
    """All ordered triples of different countries of one group: the triples [k, 3] and their chances."""
    n = len(w.COUNTRIES)
    grid = np.stack(np.meshgrid(*[np.arange(n)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    a, b, c = grid.T
    same = (group_of[a] == group_of[b]) & (group_of[b] == group_of[c])
    grid = grid[same & (a != b) & (b != c) & (a != c)]
    return grid, Bag(map(str, range(len(grid))), weights=w.COUNTRIES.p[grid].prod(1))


_BY_CONTINENT, _CONTINENT_TRIPLES = _triples(w.CONTINENT_OF)
_BY_WEALTH, _WEALTH_TRIPLES = _triples(w.WEALTH_OF)


_COUNTRY = [  # what is said, and the slot that it settles
    ("The capital of {country} is>capital {capital} .", "capital"),
    ("{country} is a country in>continent {continent} .", "continent"),
    ("{country} is a {wealth} country .", "wealth"),
    ("{country} , {second} and {third} are all in>continent {continent} .", "continent"),
    ("Like {country} and {second} , {third} is a {wealth} country .", "wealth"),
]


def country(d: Draw, template: int) -> None:
    """Capitals, continents, rich and developing countries, one by one and in lists."""
    ids = d.ids(w.COUNTRIES)
    if template < 3:
        i, others = d.pick(w.COUNTRIES, "country"), {}
    else:
        triples, bag = ((_BY_CONTINENT, _CONTINENT_TRIPLES), (_BY_WEALTH, _WEALTH_TRIPLES))[template - 3]
        i, second, third = triples[d.pick(bag, "countries")].T
        others = {"second": ids[second], "third": ids[third]}
    continent, wealth = d.ids(w.CONTINENTS)[w.CONTINENT_OF[i]], d.ids(w.WEALTH)[w.WEALTH_OF[i]]
    text, settled = _COUNTRY[template]
    said = d.say(text, country=ids[i], capital=d.ids(w.CAPITALS)[i], continent=continent, wealth=wealth, **others)
    d.answer = said[settled]


def shopping(d: Draw, length: int) -> None:
    """A list of 3 to 5 things that were bought."""
    items = d.ids(w.GOODS)[d.pick_distinct(w.GOODS, length, "goods")].T
    slots = {f"i{k + 1}": column for k, column in enumerate(items)}
    inner = " , ".join("{" + slot + "}" for slot in list(slots)[:-1])
    said = d.say("{name} bought " + inner + f" and {{i{length}}} .", name=d.word(w.NAMES, "name"), **slots)
    for k in range(length):
        d.mark(f"list: item {k + 1}", said[f"i{k + 1}"])


_GAPS = Bag([str(i) for i in range(1, 11)], exponent=0.5)
_DAYS = Bag(w.NUMBERS.words[:28], exponent=0)
_STARTS = Bag([str(i) for i in range(1, 41)], exponent=0.4)


def number(d: Draw, template: int) -> None:
    """Ranges, scores, ages and dates: what a number means is settled by what stands around it."""
    numbers, years = d.ids(w.NUMBERS), d.ids(w.YEARS)
    if template < 3:
        low = d.pick(_STARTS, "low")
        high = low + d.pick(_GAPS, "gap") + 1
        unit = d.word(w.UNITS, "unit") if template < 2 else 0
        name = d.word(w.NAMES, "name") if template else 0
        texts = (
            "It took from>number {low} to>number {high} {unit} .",
            "{name} needs from>number {low} to>number {high} {unit} .",
            "{name} won the match by>number {high} to>number {low} .",
        )
        said = d.say(texts[template], low=numbers[low], high=numbers[high], unit=unit, name=name)
        meaning = ("range", "range", "score")[template]
        d.mark(f"number: {meaning}, low", said["low"])
        d.mark(f"number: {meaning}, high", said["high"])
    elif template == 3:
        age = d.pick(_STARTS, "age") + 5
        name = d.word(w.NAMES, "name")
        said = d.say("{name} is {age} now , and next year {next} .", name=name, age=numbers[age], next=numbers[age + 1])
        d.mark("number: age", said["age"])
        d.mark("number: age", said["next"])
    else:
        year, name, city = years[d.pick(w.YEARS, "year")], d.word(w.NAMES, "name"), d.word(w.CAPITALS, "capital")
        slots = {"year": year, "name": name, "city": city}
        if template == 4:
            slots["season"] = d.word(w.SEASONS, "season")
            d.say("In the {season} of>year {year} , {name} moved to>capital {city} .", **slots)
        else:
            slots |= {"month": d.word(w.MONTHS, "month"), "day": numbers[d.pick(_DAYS, "day")]}
            said = d.say("On {month} {day} , {year} , {name} came to>capital {city} .", **slots)
            d.mark("number: day of the month", said["day"])


def calendar(d: Draw, template: int) -> None:
    """Sums on a circle: so many days after a weekday, so many months after a month; the season of a month."""
    if template == 2:
        month = d.pick(w.MONTHS, "month")
        season = d.ids(w.SEASONS)[w.SEASON_OF[month]]
        d.answer = d.say("{month} is in the {season} .", month=d.ids(w.MONTHS)[month], season=season)["season"]
        return
    bag, text = (
        (w.WEEKDAYS, "{count} days after {start} comes {end} ."),
        (w.MONTHS, "{count} months after {start} comes {end} ."),
    )[template]
    count, start = d.pick(w.COUNTS, "count"), d.pick(bag, "start")
    end = d.ids(bag)[(start + count + 2) % len(bag)]
    d.answer = d.say(text, count=d.ids(w.COUNTS)[count], start=d.ids(bag)[start], end=end)["end"]
