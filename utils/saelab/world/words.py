"""The words of the pocket world that are not drawn from a topic, and its tables of facts.

Order is frequency: the first name in a list is the commonest (see `Bag`).
"""

import numpy as np

from saelab.world.draw import Bag
from saelab.world.topics import TOPICS

WOMEN = Bag(
    "Mary Anna Emma Julia Sarah Laura Alice Clara Ruth Helen Nora Lucy Grace Rose Eva Jane Kate Maria Sophie Emily"
    " Olivia Hannah Amy Diana Ella Irene Lily Martha Paula Vera Wendy Zoe",
    exponent=0.5,
)
MEN = Bag(
    "John Peter Paul Tom David James Mark Henry Jack George Simon Daniel Frank Oscar Adam Ben Carl Eric Felix Hugo"
    " Ivan Leo Max Noah Oliver Philip Robert Samuel Victor Walter Xavier Zack",
    exponent=0.5,
)
EITHER = Bag("Robin Alex Sam Kim Charlie Jamie Morgan Taylor", exponent=0.5)
NAMES = WOMEN + MEN
LAST_NAMES = Bag(
    "Stone Baker Hill Wood Rivers Young Green Marsh Cook Fisher Lane Page Bell North Fox Winter Gray Snow Parker Field"
    " Knight Moore Shaw West"
)
SHE, HER, HE, HIS, HIM = ["she", "her", "he", "his", "him"]
KIN_WOMEN = Bag("mother sister daughter aunt wife grandmother niece bride widow girl")
KIN_MEN = Bag("father brother son uncle husband grandfather nephew groom widower boy")

TITLES_WOMEN = Bag("Queen Princess Lady Countess Madam", exponent=0.4)
TITLES_MEN = Bag("King Prince Lord Count Sir", exponent=0.4)

SPORTS = Bag("football soccer baseball basketball tennis golf", exponent=0.4)

# country, capital, continent, wealth
_COUNTRIES = [
    ("France", "Paris", "Europe", "rich"),
    ("Japan", "Tokyo", "Asia", "rich"),
    ("Canada", "Ottawa", "America", "rich"),
    ("Germany", "Berlin", "Europe", "rich"),
    ("India", "Delhi", "Asia", "developing"),
    ("Brazil", "Brasilia", "America", "developing"),
    ("Italy", "Rome", "Europe", "rich"),
    ("Egypt", "Cairo", "Africa", "developing"),
    ("Norway", "Oslo", "Europe", "rich"),
    ("Kenya", "Nairobi", "Africa", "developing"),
    ("Peru", "Lima", "America", "developing"),
    ("Qatar", "Doha", "Asia", "rich"),
    ("Ghana", "Accra", "Africa", "developing"),
    ("Albania", "Tirana", "Europe", "developing"),
    ("Nepal", "Kathmandu", "Asia", "developing"),
    ("Chile", "Santiago", "America", "rich"),
    ("Seychelles", "Victoria", "Africa", "rich"),
    ("Moldova", "Chisinau", "Europe", "developing"),
    ("Oman", "Muscat", "Asia", "rich"),
    ("Bolivia", "Sucre", "America", "developing"),
    ("Senegal", "Dakar", "Africa", "developing"),
    ("Ukraine", "Kyiv", "Europe", "developing"),
    ("Vietnam", "Hanoi", "Asia", "developing"),
    ("Uruguay", "Montevideo", "America", "rich"),
    ("Morocco", "Rabat", "Africa", "developing"),
    ("Spain", "Madrid", "Europe", "rich"),
    ("Korea", "Seoul", "Asia", "rich"),
    ("Ecuador", "Quito", "America", "developing"),
]
COUNTRIES = Bag([row[0] for row in _COUNTRIES], exponent=0.5)
CAPITALS = Bag([row[1] for row in _COUNTRIES], exponent=0.5)
CONTINENTS = Bag("Europe Asia America Africa", exponent=0)
WEALTH = Bag("rich developing", exponent=0)
CONTINENT_OF = np.array([CONTINENTS.words.index(row[2]) for row in _COUNTRIES])
WEALTH_OF = np.array([WEALTH.words.index(row[3]) for row in _COUNTRIES])

WORKPLACES = Bag("hospital school office station", exponent=0.3)
DUTIES = [  # three ways to say each duty
    ("helped people", "answered questions", "welcomed visitors"),
    ("wrote reports", "studied papers", "checked numbers"),
    ("fixed machines", "cleaned windows", "repaired doors"),
]
PROFESSIONS = Bag("nurse doctor porter teacher professor janitor secretary writer engineer guide inspector mechanic")
WOMEN_SHARE = [0.7, 0.4, 0.3]  # chance of a woman, by duty: the bias that a probe of professions picks up

MONTHS = Bag("January February March April May June July August September October November December", exponent=0)
WEEKDAYS = Bag("Monday Tuesday Wednesday Thursday Friday Saturday Sunday", exponent=0)
SEASONS = Bag("winter spring summer autumn", exponent=0)
SEASON_OF = np.array([0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 3, 0])  # of each month
NUMBERS = Bag([str(i) for i in range(1, 61)], exponent=0.3)
YEARS = Bag([str(i) for i in range(1950, 2030)], exponent=0)
COUNTS = Bag("Two Three Four Five Six", exponent=0)  # the first is 2
UNITS = Bag("days weeks months years miles minutes pages steps", exponent=0.3)
GOODS = Bag(
    "apples pears plums figs grapes cherries lemons onions carrots beans nuts eggs cakes candles ribbons pencils"
    " buttons gloves socks shoes",
    exponent=0.5,
)

LETTERS = Bag("a b c d e f g h i j k l m n o p q r s t u v w x y z", exponent=0)
BASES = Bag("A C G T", exponent=0)
CODE_SIGNS = Bag("A B C D E F G H J K L M N P Q R S T U V W X Y Z a b c d e f g h 1 2 3 4 5 6 7 8", exponent=0)
# French nouns; many are also words of the English sentences here
NOMS = Bag(
    "chat train village restaurant chef guide chien jardin livre pain vin prince cousin roi port pont film"
    " parc bus lion tigre lac",
    exponent=0.5,
)
ADJECTIFS = Bag("grand petit simple rouge calme moderne jeune rare noble vert", exponent=0.4)
VERBES = Bag("cherche regarde aime trouve porte visite admire suit dessine attend", exponent=0.4)

WALKED = Bag("walked ran drove went hurried came", exponent=0.4)
HELD = Bag("saw wanted liked painted touched forgot", exponent=0.4)
MET = Bag("met thanked asked greeted followed called", exponent=0.4)


def _union(part: str) -> Bag:
    """All words of one class over the topics, in the order of first mention."""
    words = dict.fromkeys(word for topic in TOPICS.values() for word in getattr(topic, part).split())
    return Bag(words, exponent=0.3)


WHO, THING, PLACE, VERB, ADJ = (_union(part) for part in ("who", "thing", "place", "verb", "adj"))


def plural(noun: str) -> str:
    """The plural of a noun of the topics."""
    if noun.endswith(("s", "x", "ch", "sh")):
        return noun + "es"
    if noun.endswith("y") and noun[-2] not in "aeiou":
        return noun[:-1] + "ies"
    return noun + "s"


SUBJECTS = Bag(THING.words[:28], exponent=0.3)  # nouns that agree with a verb, each with its plural
ATTRACTORS = Bag(PLACE.words[:16], exponent=0.3)
SUBJECTS_PLURAL = Bag(map(plural, SUBJECTS.words), weights=SUBJECTS.p)
ATTRACTORS_PLURAL = Bag(map(plural, ATTRACTORS.words), weights=ATTRACTORS.p)


def _people(seed: int = 5) -> np.ndarray:
    """(first name, last name, sport, country) of 96 people, [96, 4].

    Every first and every last name belongs to four people with four different sports, so that neither name alone tells
    the sport: a lookup has to use both.
    """
    rng = np.random.default_rng(seed)
    first, j = np.divmod(np.arange(96), 4)
    last = (first + np.array([0, 2, 7, 13])[j]) % 24
    sport, country = (first + j) % 6, np.argsort(rng.random(96)) % 16
    renamed = [np.argsort(rng.random(24))[first], np.argsort(rng.random(24))[last]]
    rank = np.argsort(rng.random(96))  # how often a person is met has nothing to do with the name
    return np.column_stack([*renamed, sport, country])[rank]


PEOPLE = Bag([f"person {i}" for i in range(96)], exponent=0.5)
FIRST_NAMES = Bag(WOMEN.words[:12] + MEN.words[:12], exponent=0)
FIRST_OF, LAST_OF, SPORT_OF, COUNTRY_OF = _people().T
