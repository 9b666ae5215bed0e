"""The words that every toy task shares, in English and Italian."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["en", "it"]


@dataclass(frozen=True, eq=False)
class Noun:
    """A countable noun: singular and plural in both languages, and its Italian gender."""

    en: str
    it: str
    gender: str
    ens: str
    its: str


@dataclass(frozen=True, eq=False)
class Adjective:
    """An adjective: English, and Italian as masculine, feminine, masculine plural, feminine plural."""

    en: str
    it: str
    forms: tuple[str, str, str, str]

    def agree(self, gender: str, plural: bool = False) -> str:
        return self.forms[(gender == "f") + 2 * plural]


@dataclass(frozen=True, eq=False)
class Place:
    """Somewhere to be: `at` and `to` as whole phrases, since Italian is idiomatic (in cucina, al parco, allo zoo)."""

    en: str
    it: str
    at: dict[Language, str]
    to: dict[Language, str]


IRREGULAR = {"sheep": "sheep", "mouse": "mice", "scarf": "scarves", "shelf": "shelves",
             "wolf": "wolves", "tomato": "tomatoes", "potato": "potatoes"}  # fmt: skip


def plural(word: str) -> str:
    """The English plural."""
    if word in IRREGULAR:
        return IRREGULAR[word]
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    return word[:-1] + "ies" if word.endswith("y") and word[-2] not in "aeiou" else word + "s"


def words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


def nouns(table: str) -> tuple[Noun, ...]:
    """Lines of `english italian gender italian-plural`."""
    found = []
    for en, it, gender, its in filter(None, map(str.split, table.split("\n"))):
        found.append(Noun(en, it, gender, plural(en), its))
    return tuple(found)


def adjectives(table: str) -> tuple[Adjective, ...]:
    """Lines of `english italian`, with the four Italian forms when they are not by rule."""
    found = []
    for row in filter(None, map(str.split, table.split("\n"))):
        en, it, *forms = row
        if not forms:
            stem = it[:-1]
            forms = [it, stem + "a", stem + "i", stem + "e"] if it.endswith("o") else [it, it, stem + "i", stem + "i"]
        found.append(Adjective(en, it, (forms[0], forms[1], forms[2], forms[3])))
    return tuple(found)


GIRLS = words("""
Mia Anna Emma Sara Luna Nina Zoe Clara Elena Giulia Marta Alice Lucia Ada Irene Olga Vera Tessa Ida Paola
""")
BOYS = words("""
Leo Tom Max Luca Marco Paolo Hugo Dario Pietro Ugo Oscar Ivan Davide Matteo Carlo Aldo Sam Ben Enzo Fabio
""")
NAMES = tuple(name for pair in zip(GIRLS, BOYS, strict=True) for name in pair)

THINGS = nouns("""
ball palla f palle
book libro m libri
hat cappello m cappelli
cup tazza f tazze
bag borsa f borse
key chiave f chiavi
umbrella ombrello m ombrelli
backpack zaino m zaini
scarf sciarpa f sciarpe
kite aquilone m aquiloni
drum tamburo m tamburi
lamp lampada f lampade
pencil matita f matite
notebook quaderno m quaderni
coat cappotto m cappotti
shoe scarpa f scarpe
glove guanto m guanti
bottle bottiglia f bottiglie
blanket coperta f coperte
mirror specchio m specchi
ring anello m anelli
ribbon nastro m nastri
candle candela f candele
stone sasso m sassi
feather piuma f piume
button bottone m bottoni
brush pennello m pennelli
spoon cucchiaio m cucchiai
plate piatto m piatti
whistle fischietto m fischietti
doll bambola f bambole
envelope busta f buste
stamp francobollo m francobolli
map mappa f mappe
flag bandiera f bandiere
necklace collana f collane
sponge spugna f spugne
bucket secchio m secchi
bowl ciotola f ciotole
clock orologio m orologi
apron grembiule m grembiuli
shield scudo m scudi
shirt camicia f camicie
sweater maglione m maglioni
violin violino m violini
guitar chitarra f chitarre
trumpet tromba f trombe
xylophone xilofono m xilofoni
harmonica armonica f armoniche
tent tenda f tende
""")
"""What a person can hold, and what has a colour."""

FURNITURE = nouns("""
table tavolo m tavoli
chair sedia f sedie
bed letto m letti
door porta f porte
tree albero m alberi
bench panchina f panchine
sofa divano m divani
wardrobe armadio m armadi
shelf scaffale m scaffali
drawer cassetto m cassetti
box scatola f scatole
basket cestino m cestini
trunk baule m bauli
wall muro m muri
window finestra f finestre
rug tappeto m tappeti
desk scrivania f scrivanie
cushion cuscino m cuscini
""")

ON_OR_IN = {"on": "table chair bed bench sofa shelf desk rug", "in": "wardrobe drawer box basket trunk",
            "under": "table chair bed bench sofa tree desk rug cushion", "behind": "door tree wall sofa wardrobe trunk",
            "next to": "door tree window basket box bench trunk"}  # fmt: skip
"""Which piece of furniture goes with which preposition."""

ANIMALS = nouns("""
dog cane m cani
cat gatto m gatti
cow mucca f mucche
duck anatra f anatre
sheep pecora f pecore
pig maiale m maiali
rooster gallo m galli
hen gallina f galline
frog rana f rane
bee ape f api
owl gufo m gufi
mouse topo m topi
donkey asino m asini
lion leone m leoni
snake serpente m serpenti
bird uccello m uccelli
wolf lupo m lupi
horse cavallo m cavalli
rabbit coniglio m conigli
squirrel scoiattolo m scoiattoli
bear orso m orsi
spider ragno m ragni
zebra zebra f zebre
butterfly farfalla f farfalle
""")

SOUNDS: dict[str, dict[Language, str]] = {
    animal: {"en": en, "it": it}
    for animal, en, it in (
        row.split()
        for row in """
dog woof bau
cat meow miao
cow moo muu
duck quack qua
sheep baa bee
pig oink oink
rooster cock-a-doodle-doo chicchirichì
hen cluck coccodè
frog ribbit cra
bee buzz bzz
owl hoo uuh
mouse squeak squit
donkey hee-haw ih-oh
lion roar roar
snake hiss sss
bird tweet cip
wolf awoo auuu
""".strip().split("\n")
    )
}

LEGS = {"dog": 4, "cat": 4, "cow": 4, "sheep": 4, "pig": 4, "horse": 4, "donkey": 4, "lion": 4, "zebra": 4, "wolf": 4,
        "duck": 2, "hen": 2, "rooster": 2, "owl": 2, "bird": 2, "bee": 6, "butterfly": 6, "spider": 8,
        "snake": 0}  # fmt: skip

FOOD = nouns("""
apple mela f mele
pear pera f pere
orange arancia f arance
banana banana f banane
lemon limone m limoni
cherry ciliegia f ciliegie
peach pesca f pesche
carrot carota f carote
potato patata f patate
tomato pomodoro m pomodori
onion cipolla f cipolle
biscuit biscotto m biscotti
cake torta f torte
sandwich panino m panini
plum prugna f prugne
fig fico m fichi
apricot albicocca f albicocche
strawberry fragola f fragole
olive oliva f olive
mushroom fungo m funghi
pancake frittella f frittelle
walnut noce f noci
""")

COLOURS = adjectives("""
red rosso
yellow giallo
black nero
white bianco bianco bianca bianchi bianche
grey grigio grigio grigia grigi grigie
green verde
brown marrone
orange arancione
blue blu blu blu blu blu
purple viola viola viola viola viola
pink rosa rosa rosa rosa rosa
golden dorato
""")

QUALITIES = adjectives("""
big grande
small piccolo
old vecchio vecchio vecchia vecchi vecchie
new nuovo
clean pulito
dirty sporco sporco sporca sporchi sporche
heavy pesante
light leggero
soft morbido
hard duro
long lungo lungo lunga lunghi lunghe
short corto
full pieno
empty vuoto
open aperto
closed chiuso
wet bagnato
dry asciutto
hot caldo
cold freddo
strong forte
weak debole
fast veloce
slow lento
happy felice
sad triste
high alto
low basso
""")
"""Each with its opposite beside it: 0 and 1, 2 and 3, ..."""

THING_QUALITIES = tuple(a for a in QUALITIES if a.en in words("big small old new clean dirty heavy wet dry"))
"""Those that any thing in THINGS can have."""

OPPOSITES = {a.en: QUALITIES[i ^ 1] for i, a in enumerate(QUALITIES)}

FEELINGS = adjectives("""
happy felice
sad triste
tired stanco stanco stanca stanchi stanche
proud orgoglioso
calm calmo
curious curioso
surprised sorpreso
bored annoiato
worried preoccupato
cheerful allegro
""")
GOOD_FEELINGS = tuple(f for f in FEELINGS if f.en in ("happy", "proud", "calm", "cheerful", "surprised"))
BAD_FEELINGS = tuple(f for f in FEELINGS if f.en in ("sad", "tired", "bored", "worried"))

DAYS: dict[Language, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato", "domenica"),
}

NUMBERS: dict[Language, tuple[str, ...]] = {
    "en": words("zero one two three four five six seven eight nine ten eleven twelve"),
    "it": words("zero uno due tre quattro cinque sei sette otto nove dieci undici dodici"),
}


def _places(table: str) -> tuple[Place, ...]:
    found = []
    for row in filter(None, table.split("\n")):
        en, at_en, to_en, it, at_it, to_it = (cell.strip() for cell in row.split("|"))
        found.append(Place(en, it, {"en": at_en, "it": at_it}, {"en": to_en, "it": to_it}))
    return tuple(found)


PLACES = _places("""
kitchen | in the kitchen | to the kitchen | cucina | in cucina | in cucina
garden | in the garden | to the garden | giardino | in giardino | in giardino
park | at the park | to the park | parco | al parco | al parco
school | at school | to school | scuola | a scuola | a scuola
library | in the library | to the library | biblioteca | in biblioteca | in biblioteca
market | at the market | to the market | mercato | al mercato | al mercato
beach | on the beach | to the beach | spiaggia | in spiaggia | in spiaggia
forest | in the forest | to the forest | bosco | nel bosco | nel bosco
river | by the river | to the river | fiume | al fiume | al fiume
hill | on the hill | to the hill | collina | sulla collina | sulla collina
farm | on the farm | to the farm | fattoria | alla fattoria | alla fattoria
station | at the station | to the station | stazione | alla stazione | alla stazione
castle | in the castle | to the castle | castello | nel castello | al castello
museum | in the museum | to the museum | museo | al museo | al museo
square | in the square | to the square | piazza | in piazza | in piazza
lake | by the lake | to the lake | lago | al lago | al lago
zoo | at the zoo | to the zoo | zoo | allo zoo | allo zoo
stadium | at the stadium | to the stadium | stadio | allo stadio | allo stadio
theatre | at the theatre | to the theatre | teatro | a teatro | a teatro
meadow | in the meadow | to the meadow | prato | nel prato | nel prato
attic | in the attic | to the attic | soffitta | in soffitta | in soffitta
island | on the island | to the island | isola | sull'isola | sull'isola
courtyard | in the courtyard | to the courtyard | cortile | in cortile | in cortile
harbour | at the harbour | to the harbour | porto | al porto | al porto
""")
