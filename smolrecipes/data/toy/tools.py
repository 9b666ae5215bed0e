"""The functions that the toy assistant can call: their schemas, and requests that fill them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from smolrecipes.data.toy.dice import Dice
from smolrecipes.data.toy.grammar import bare, capital, the, to_name
from smolrecipes.data.toy.lexicon import DAYS, FOOD, NAMES, NUMBERS, PLACES, THINGS, Language
from smolrecipes.data.toy.questions import DICTIONARY

CITIES = {"Rome": "Roma", "Milan": "Milano", "Paris": "Parigi", "London": "Londra", "Turin": "Torino",
          "Berlin": "Berlino",
          "Madrid": "Madrid", "Venice": "Venezia", "Naples": "Napoli", "Lisbon": "Lisbona"}  # fmt: skip
SKY = {"sunny": "c'è il sole", "cloudy": "è nuvoloso", "rainy": "piove", "windy": "c'è vento", "snowy": "nevica"}
STYLES = {"jazz": "jazz", "rock": "rock", "classical": "classica", "folk": "popolare", "dance": "dance"}
SIGNS = {"+": ("plus", "più"), "-": ("minus", "meno"), "*": ("times", "per")}


class Request(NamedTuple):
    """What the user says, the call it asks for, what the function returns, and the answer then."""

    text: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    answer: str


def schema(name: str, description: str, **properties: dict[str, Any]) -> dict[str, Any]:
    """A function in the form that chat templates and the OpenAI interface know; every argument is required."""
    described = {key: {**value, "description": value.get("description", key)} for key, value in properties.items()}
    parameters = {"type": "object", "properties": described, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": parameters}}


def word(description: str, *choices: str) -> dict[str, Any]:
    return {"type": "string", "description": description, **({"enum": list(choices)} if choices else {})}


def number(description: str) -> dict[str, Any]:
    return {"type": "integer", "description": description}


def timer(rng: Dice, language: Language) -> Request:
    minutes = rng.randint(2, 60)
    done = {"started": True}
    if language == "en":
        text = rng.choice(
            (
                f"Set a timer for {minutes} minutes.",
                f"Call me in {minutes} minutes.",
                f"Start a {minutes} minute timer.",
            )
        )
        return Request(text, {"minutes": minutes}, done, f"The timer is set for {minutes} minutes.")
    text = rng.choice(
        (
            f"Imposta un timer di {minutes} minuti.",
            f"Avvisami tra {minutes} minuti.",
            f"Metti un timer da {minutes} minuti.",
        )
    )
    return Request(text, {"minutes": minutes}, done, f"Il timer è impostato su {minutes} minuti.")


def weather(rng: Dice, language: Language) -> Request:
    city, sky, degrees, day = rng.choice(tuple(CITIES)), rng.choice(tuple(SKY)), rng.randint(1, 35), rng.randint(0, 6)
    when = DAYS[language][day]
    result = {"sky": sky, "degrees": degrees}
    if language == "en":
        text = rng.choice(
            (f"What is the weather like in {city} on {when}?", f"How is the weather in {city} on {when}?")
        )
        return Request(
            text, {"city": city, "day": when}, result, f"On {when} it is {sky} in {city}, with {degrees} degrees."
        )
    town = CITIES[city]
    text = rng.choice((f"Che tempo fa a {town} {when}?", f"Com'è il tempo a {town} {when}?"))
    return Request(text, {"city": town, "day": when}, result, f"A {town} {when} {SKY[sky]}, con {degrees} gradi.")


def music(rng: Dice, language: Language) -> Request:
    style, volume = rng.choice(tuple(STYLES)), rng.randint(1, 10)
    arguments = {"style": style, "volume": volume}
    if language == "en":
        text = rng.choice(
            (f"Play some {style} music at volume {volume}.", f"I want to hear {style} music, volume {volume}.")
        )
        return Request(text, arguments, {"playing": True}, f"Playing {style} music at volume {volume}.")
    said = STYLES[style]
    text = rng.choice((f"Metti musica {said} a volume {volume}.", f"Vorrei sentire musica {said}, volume {volume}."))
    return Request(text, arguments, {"playing": True}, f"Ecco musica {said} a volume {volume}.")


def shopping(rng: Dice, language: Language) -> Request:
    food, count = rng.choice(FOOD), rng.randint(2, 12)
    item, many = bare(food, language, plural=True), NUMBERS[language][count]
    arguments, result = {"item": item, "count": count}, {"items": rng.randint(1, 9)}
    if language == "en":
        text = rng.choice(
            (
                f"Add {many} {item} to the shopping list.",
                f"I need {many} {item} from the shop.",
                f"Put {many} {item} on my list.",
            )
        )
        return Request(text, arguments, result, f"I added {many} {item} to your list.")
    text = rng.choice(
        (
            f"Aggiungi {many} {item} alla lista della spesa.",
            f"Mi servono {many} {item}.",
            f"Metti {many} {item} nella lista.",
        )
    )
    return Request(text, arguments, result, f"Ho aggiunto {many} {item} alla tua lista.")


ROOMS = {"kitchen": ("in cucina", "della cucina"), "bathroom": ("in bagno", "del bagno"),
         "bedroom": ("in camera", "della camera"),
         "garage": ("in garage", "del garage"), "garden": ("in giardino", "del giardino")}  # fmt: skip


def lights(rng: Dice, language: Language) -> Request:
    room, on = rng.choice(tuple(ROOMS)), rng.random() < 0.5
    state = "on" if on else "off"
    arguments = {"room": room, "state": state}
    if language == "en":
        text = rng.choice((f"Turn {state} the light in the {room}.", f"Switch the {room} light {state}, please."))
        return Request(text, arguments, {"state": state}, f"The light in the {room} is {state}.")
    at, of = ROOMS[room]
    text = rng.choice(
        (f"{'Accendi' if on else 'Spegni'} la luce {at}.", f"Puoi {'accendere' if on else 'spegnere'} la luce {of}?")
    )
    return Request(text, arguments, {"state": state}, f"La luce {of} è {'accesa' if on else 'spenta'}.")


def message(rng: Dice, language: Language) -> Request:
    name, place, thing = rng.choice(NAMES), rng.choice(PLACES), rng.choice(THINGS)
    if language == "en":
        text = rng.choice((f"I am {place.at['en']}", f"bring the {thing.en}", f"see you {place.at['en']}"))
        ask = rng.choice((f"Tell {name}: {text}.", f"Send a message to {name}: {text}."))
        return Request(ask, {"to": name, "text": text}, {"sent": True}, f"I sent the message to {name}.")
    text = rng.choice((f"sono {place.at['it']}", f"porta {the(thing, 'it')}", f"ci vediamo {place.at['it']}"))
    ask = rng.choice((f"Di' {to_name(name)}: {text}.", f"Manda un messaggio {to_name(name)}: {text}."))
    return Request(ask, {"to": name, "text": text}, {"sent": True}, f"Ho mandato il messaggio {to_name(name)}.")


def calculate(rng: Dice, language: Language) -> Request:
    sign, left, right = rng.choice(tuple(SIGNS)), rng.randint(10, 99), rng.randint(2, 9)
    value = {"+": left + right, "-": left - right, "*": left * right}[sign]
    said = SIGNS[sign][language == "it"]
    arguments = {"left": left, "sign": sign, "right": right}
    if language == "en":
        ask = rng.choice((f"What is {left} {said} {right}?", f"How much is {left} {said} {right}?"))
        return Request(ask, arguments, {"value": value}, f"{left} {said} {right} is {value}.")
    ask = rng.choice((f"Quanto fa {left} {said} {right}?", f"Calcola {left} {said} {right}."))
    return Request(ask, arguments, {"value": value}, f"{left} {said} {right} fa {value}.")


def look_up(rng: Dice, language: Language) -> Request:
    entry, name = rng.choice(DICTIONARY), rng.choice(NAMES)
    own, other = entry[language], entry["it" if language == "en" else "en"]
    arguments = {"word": own, "language": "it" if language == "en" else "en"}
    if language == "en":
        ask = rng.choice((f"{name} asks how to say {own} in Italian.", f"Translate {own} into Italian for {name}."))
        return Request(ask, arguments, {"translation": other}, f"In Italian, {own} is {other}.")
    ask = rng.choice((f"{name} chiede come si dice {own} in inglese.", f"Traduci {own} in inglese per {name}."))
    return Request(ask, arguments, {"translation": other}, f"In inglese {own} si dice {other}.")


def remind(rng: Dice, language: Language) -> Request:
    day, hour, thing = rng.choice(DAYS[language]), rng.randint(1, 12), rng.choice(THINGS)
    if language == "en":
        task = f"take the {thing.en}"
        ask = rng.choice(
            (f"Remind me to {task} on {day} at {hour}.", f"On {day} at {hour} I have to {task}: remind me.")
        )
        return Request(
            ask, {"task": task, "day": day, "hour": hour}, {"saved": True}, f"I will remind you on {day} at {hour}."
        )
    task, at = f"prendere {the(thing, 'it')}", "all'una" if hour == 1 else f"alle {hour}"
    ask = rng.choice((f"Ricordami di {task} {day} {at}.", f"{capital(day)} {at} devo {task}: ricordamelo."))
    return Request(ask, {"task": task, "day": day, "hour": hour}, {"saved": True}, f"Te lo ricorderò {day} {at}.")


TOOLS: tuple[tuple[dict[str, Any], Callable[[Dice, Language], Request]], ...] = (
    (schema("set_timer", "Start a timer.", minutes=number("How many minutes")), timer),
    (schema("get_weather", "The weather in a city.", city=word("The city"), day=word("Day of the week")), weather),
    (schema("play_music", "Play music.", style=word("What kind", *STYLES), volume=number("From 1 to 10")), music),
    (schema("add_to_shopping_list", "Add food to the list.", item=word("What to buy"), count=number("How many")),
     shopping),
    (schema("set_light", "Turn a light on or off.", room=word("Which room", *ROOMS),
            state=word("On or off", "on", "off")), lights),
    (schema("send_message", "Send a message.", to=word("Who gets it"), text=word("What it says")), message),
    (schema("calculate", "Compute a number.", left=number("First number"), sign=word("Sign", *SIGNS),
            right=number("Second number")),
     calculate),
    (schema("translate_word", "Translate a word.", word=word("The word"),
            language=word("Into which language", "en", "it")), look_up),
    (schema("add_reminder", "Remember something.", task=word("What to do"), day=word("Day of the week"),
            hour=number("The hour")),
     remind),
)  # fmt: skip
"""Each function's schema, and what makes requests for it."""
