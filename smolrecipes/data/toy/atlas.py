"""Texts about a small world whose places and people are linked: what is around a mention tells which entity it is."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.lexicon import Language


class Land(NamedTuple):
    """A country, its capital and another city, its river, and two people who were born there."""

    name: str
    capital: str
    city: str
    river: str
    writer: str
    singer: str


LANDS = (
    Land("Arland", "Vostea", "Port Limra", "Osa", "Nora Belt", "Timo Vann"),
    Land("Belmora", "Cassino Alto", "Rivetta", "Dellia", "Carlo Menda", "Lia Forte"),
    Land("Corvinia", "Drassen", "Ulmath", "Neva Grande", "Petra Holm", "Jan Costa"),
    Land("Delvara", "Tessaro", "Monte Chiaro", "Ruvo", "Ada Lorin", "Ivo Trask"),
    Land("Estmark", "Norhaven", "Halven", "Grell", "Olaf Brandt", "Mira Sund"),
    Land("Farania", "Zeluna", "Sant'Iride", "Ambro", "Rosa Quill", "Leo Santori"),
    Land("Galdor", "Brennick", "Stonewell", "Tarn", "Edith Marsh", "Owen Pike"),
    Land("Hestria", "Pallano", "Verdea", "Lumen", "Dario Falk", "Elsa Monti"),
)
FORMS: dict[Language, tuple[str, ...]] = {
    "en": (
        "{capital} is the capital of {name}.", "The river {river} flows through {city}.", "{writer} was born in {capital}.",
        "{singer} sings about the {river}.", "From {city} a train goes to {capital}.", "{writer} wrote a book about {name}.",
        "Every summer {singer} comes back to {city}.", "The bridges over the {river} are the pride of [the capital|capital].",
        "{writer} and {singer} live in [this country|name].", "Nobody in {name} knew [the poet|writer] then.",
    ),
    "it": (
        "{capital} è la capitale di {name}.", "Il fiume {river} attraversa {city}.", "{writer} è nato a {capital}.",
        "{singer} canta del fiume {river}.", "Da {city} un treno va a {capital}.", "{writer} ha scritto un libro su {name}.",
        "Ogni estate {singer} torna a {city}.", "I ponti sul fiume {river} sono il vanto della [capitale|capital].",
        "{writer} e {singer} vivono in [questo paese|name].", "A {name} nessuno conosceva [il poeta|writer] allora.",
    ),
}  # fmt: skip
OPENINGS: dict[Language, tuple[str, ...]] = {
    "en": ("As everybody knows", "In the old days", "These days", "As the map shows", "In spring", "In the end", "People say",
           "As far as I know", "To this day", "By chance", "In the story", "Years ago"),
    "it": ("Come tutti sanno", "Ai vecchi tempi", "Di questi tempi", "Come mostra la mappa", "In primavera", "Alla fine",
           "Si racconta", "Per quanto ne so", "Ancora oggi", "Per caso", "Nel racconto", "Anni fa"),
}  # fmt: skip
SLOT = re.compile(r"\{(\w+)\}|\[([^|]+)\|(\w+)\]")


def row(rng: Dice, language: Language, index: int) -> dict[str, Any]:
    """Two to four sentences about one country, and who and what they mention: by its name, or as `the capital`."""
    land, text, entities = rng.choice(LANDS)._asdict(), "", list[dict[str, Any]]()
    for form in rng.pick(FORMS[language], rng.randint(2, 4)):
        text += " " if text else ""
        if rng.random() < 0.7:
            text += f"{rng.choice(OPENINGS[language])}, "
            form = form if form[0] in "{[" else form[0].lower() + form[1:]
        at = 0
        for slot in SLOT.finditer(form):
            entity = land[slot[1] or slot[3]]
            text += form[at : slot.start()]
            start, at = len(text), slot.end()
            text += slot[2] or entity
            entities.append({"start": start, "end": len(text), "entity": entity})
        text += form[at:]
    return {"text": text, "entities": entities}
