"""The plots of the toy stories: for each beat of a plot, the ways to tell it, in English and Italian.

Slots are filled by `stories.people` and `stories.food`: {a_thing} is "a red ball", {the_thing} "the red ball", {thing}
"the ball"; {gift} is another thing, {friend} another person; {it} and {git} are Italian pronouns (lo, la).
"""

from __future__ import annotations

from smolrecipes.data.toy.lexicon import Language

Plot = tuple[tuple[str, ...], ...]

OPENINGS: dict[Language, tuple[str, ...]] = {
    "en": ("It was a sunny morning.", "It was a cold day.", "One {day}, it was raining.", "The wind was blowing.",
           "It was a quiet {day}.", "It was late.", "Snow was falling.", "One {day}, the sky was clear."),
    "it": ("Era una mattina di sole.", "Era una giornata fredda.", "Un giorno pioveva.", "Soffiava il vento.",
           "Era un {day} tranquillo.", "Era tardi.", "Cadeva la neve.", "Quel giorno il cielo era sereno."),
}  # fmt: skip
DAYS: dict[Language, tuple[str, ...]] = {
    "en": ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"),
    "it": ("lunedì", "martedì", "mercoledì", "giovedì", "venerdì", "sabato"),
    # not the feminine domenica: "un lunedì tranquillo"
}
ENDINGS: dict[Language, tuple[str, ...]] = {
    "en": ("{hero} was {glad}.", "{friend} was {fglad}.", "{hero} smiled.",
           "In the end, {hero} was {glad} and {friend} was {fglad}.",
           "They laughed together.", "Everyone slept well that night."),
    "it": ("{hero} era {glad}.", "{friend} era {fglad}.", "{hero} sorrise.",
           "Alla fine {hero} era {glad} {and_friend} era {fglad}.",
           "Risero insieme.", "Quella notte tutti dormirono bene."),
}  # fmt: skip

LOST: dict[Language, Plot] = {
    "en": (
        ("{hero} had {a_thing}.", "{hero} loved {his} {thing_colour}.", "{hero} got {a_thing} from {his} grandmother."),
        ("{He} left it {spot} and went {to_place}.", "One day {he} put it {spot}. Then {he} went {to_place}."),
        ("When {he} came back, {he} could not remember where {thing} was.",
         "Later {he} wanted {thing} but could not find it.",
         "{hero} was {sad} because {thing} was gone."),
        ("{friend} looked {spot2}, but {thing} was not there.",
         "\"Is it {spot2}?\" asked {friend}. \"No,\" said {hero}.",
         "{hero} and {friend} looked {spot2} first."),
        ("Then {friend} looked {spot} and saw {the_thing}.", "\"Look {spot}!\" said {friend}. {The_thing} was there.",
         "At last they found {the_thing} {spot}."),
        ("Then {hero} went home with {the_thing}.", ""),
    ),
    "it": (
        ("{hero} aveva {a_thing}.", "{hero} amava {the_thing} della nonna.", "{hero} ebbe {a_thing} dalla nonna."),
        ("{It} lasciò {spot} e andò {to_place}.", "Un giorno {it} mise {spot}. Poi andò {to_place}."),
        ("Al ritorno non ricordava più dov'era {thing}.", "Più tardi voleva {thing}, ma non {it} trovava.",
         "{hero} era {sad} perché {thing} non c'era più."),
        ("{friend} guardò {spot2}, ma {thing} non era lì.", "\"È {spot2}?\" chiese {friend}. \"No\", disse {hero}.",
         "{hero} {and_friend} guardarono prima {spot2}."),
        ("Poi {friend} guardò {spot} e vide {the_thing}.", "\"Guarda {spot}!\" disse {friend}. {The_thing} era lì.",
         "Alla fine trovarono {the_thing} {spot}."),
        ("Poi {hero} tornò a casa con {the_thing}.", ""),
    ),
}  # fmt: skip
GIFT: dict[Language, Plot] = {
    "en": (
        ("{friend} was {fsad} and sat {at}.", "{friend} was {at} and felt {fsad}."),
        ("{hero} had {a_thing} and {a_gift}.", "{hero} had two nice things: {a_thing} and {a_gift}."),
        ("{He} gave {gift} to {friend} and kept {thing}.", "\"Take {gift},\" said {hero}. {He} kept {thing}."),
        ("\"Thank you,\" said {friend}. \"What a beautiful {gift_colour}!\"",
         "{friend} took {the_gift} and said thank you."),
        ("Now {friend} has {the_gift} and {hero} has {the_thing}.",
         "So {the_gift} is {friend_s} now, and {the_thing} is {hero_s}."),
    ),
    "it": (
        ("{friend} era {fsad} e stava {at}.", "{friend} era {at} e si sentiva {fsad}."),
        ("{hero} aveva {a_thing} e {a_gift}.", "{hero} aveva due cose belle: {a_thing} e {a_gift}."),
        ("Diede {gift} {to_friend} e tenne {thing}.", "\"Prendi {gift}\", disse {hero}, e tenne {thing}."),
        ("\"Grazie\", disse {friend}. \"Mi piace {the_gift}!\"", "{friend} prese {the_gift} e disse grazie."),
        ("Adesso {friend} ha {the_gift} {and_hero} ha {the_thing}.",
         "Così {the_gift} adesso è di {friend}, e {the_thing} è di {hero}."),
    ),
}  # fmt: skip
SWAP: dict[Language, Plot] = {
    "en": (
        ("{hero} met {friend} {at}.", "{hero} and {friend} were {at}."),
        ("{hero} had {a_thing} and {friend} had {a_gift}.", "{friend} had {a_gift}. {hero} had {a_thing}."),
        ("\"I like your {gift_word},\" said {hero}. \"And I like your {thing_word},\" said {friend}.",
         "\"Shall we swap?\" asked {hero}. \"Yes!\" said {friend}."),
        ("So they swapped {thing} and {gift}.", "{hero} gave {thing} to {friend}, and {friend} gave {gift} to {hero}."),
        ("After that {hero} had {the_gift} and {friend} had {the_thing}.",
         "Now {the_thing} is with {friend} and {the_gift} is with {hero}."),
    ),
    "it": (
        ("{hero} incontrò {friend} {at}.", "{hero} {and_friend} erano {at}."),
        ("{hero} aveva {a_thing} {and_friend} aveva {a_gift}.", "{friend} aveva {a_gift}. {hero} aveva {a_thing}."),
        ("\"Mi piace {gift}\", disse {hero}. \"E a me piace {thing}\", disse {friend}.",
         "\"Facciamo cambio?\" chiese {hero}. \"Sì!\" disse {friend}."),
        ("Così scambiarono {thing} e {gift}.",
         "{hero} diede {thing} {to_friend}, {and_friend} diede {gift} {to_hero}."),
        ("Dopo {hero} aveva {the_gift} {and_friend} aveva {the_thing}.",
         "Adesso {friend} ha {the_thing} {and_hero} ha {the_gift}."),
    ),
}  # fmt: skip
ANIMAL: dict[Language, Plot] = {
    "en": (
        ("{hero} went {to_place} with {friend}.", "{hero} was {at} with {his} friend {friend}."),
        ("There they saw {an_animal}.", "\"Look, {an_animal}!\" said {friend}.",
         "They heard a noise. It was {an_animal}."),
        ("\"{Sound}!\" said {animal}.", "{Animal} said {sound}.", "{Animal} looked at {friend} and said {sound}."),
        ("{hero} had {n} {foods} and gave one to {animal}.",
         "{Animal} was hungry, so {hero}, who had {n} {foods}, gave it one."),
        ("{Animal} ate it, and {hero} kept {n_less}.", "Then {hero} had {n_less} {foods_less}."),
        ("After that {animal} slept under a tree.", "{Animal} lay in the sun.", "{Animal} went {to_place2}.", ""),
    ),
    "it": (
        ("{hero} andò {to_place} con {friend}.", "{hero} era {at} con {friend}."),
        ("Lì videro {an_animal}.", "\"Guarda, {an_animal}!\" disse {friend}.", "Sentirono un rumore. Era {an_animal}."),
        ("\"{Sound}!\" fece {animal}.", "{Animal} fece {sound}.", "{Animal} guardò {friend} e fece {sound}."),
        ("{hero} aveva {n} {foods} e ne diede {one} {to_animal}.",
         "{Animal} aveva fame: {hero}, che aveva {n} {foods}, gliene diede {one}."),
        ("{Animal} mangiò, e {to_hero} ne {rest} {n_less}.", "Così {hero} aveva ancora {n_less} {foods_less}."),
        ("Poi {animal} dormì sotto un albero.", "{Animal} restò al sole.", "{Animal} andò {to_place2}.", ""),
    ),
}  # fmt: skip
BUY: dict[Language, Plot] = {
    "en": (
        ("{hero} wanted {a_thing}.", "For a long time {hero} had wanted {a_thing}."),
        ("{He} went {to_place} and saw {a_gift}.", "{He} looked {at}, but found only {a_gift}."),
        ("\"I do not want {a_gift_word},\" said {hero}. \"I want {a_thing_word}.\"",
         "\"That is {a_gift_word},\" said {friend}, \"not {a_thing_word}.\""),
        ("Then {he} went {to_place2}.", "Then {friend} took {him} {to_place2}."),
        ("There {he} found {the_thing}.", "There was {a_thing}, and {hero} took it home.",
         "{At2} {he} found {the_thing} at last."),
        ("Now {thing} is {spot}.", "At home {he} put {thing} {spot}.", ""),
    ),
    "it": (
        ("{hero} voleva {a_thing}.", "Da tanto tempo {hero} voleva {a_thing}."),
        ("Andò {to_place} e vide {a_gift}.", "Cercò {at}, ma trovò solo {a_gift}."),
        ("\"Non voglio {a_gift_word}\", disse {hero}. \"Voglio {a_thing_word}.\"",
         "\"Questo non va bene\", disse {friend}. \"{hero} vuole {a_thing_word}.\""),
        ("Poi andò {to_place2}.", "Poi andò con {friend} {to_place2}."),
        ("Lì trovò {the_thing}.", "C'era {a_thing}, {and_hero} {it} portò a casa.",
         "{At2} trovò finalmente {the_thing}."),
        ("Adesso {thing} è {spot}.", "A casa mise {thing} {spot}.", ""),
    ),
}  # fmt: skip
HIDE: dict[Language, Plot] = {
    "en": (
        ("{hero} and {friend} played a game {at}.", "{At} {hero} and {friend} played a game."),
        ("{hero} hid {a_thing} {spot} and {a_gift} {spot2}.",
         "{hero} hid two things: {a_thing} {spot} and {a_gift} {spot2}."),
        ("\"Where is {the_gift}?\" asked {friend}.", "{friend} looked for {gift}."),
        ("{Fhe} looked {spot2} and found it.", "It was {spot2}, of course."),
        ("Then {fhe} looked for {thing} and found it {spot}.", "\"And {the_thing} is {spot},\" said {friend}."),
        ("{friend} won.", "\"You are good at this game,\" said {hero}.", ""),
    ),
    "it": (
        ("{hero} {and_friend} facevano un gioco {at}.", "{At} {hero} {and_friend} facevano un gioco."),
        ("{hero} nascose {a_thing} {spot} e {a_gift} {spot2}.",
         "{hero} nascose due cose: {a_thing} {spot} e {a_gift} {spot2}."),
        ("\"Dov'è {the_gift}?\" chiese {friend}.", "{friend} cercò {gift}."),
        ("Guardò {spot2} e {git} trovò.", "Era {spot2}, naturalmente."),
        ("Poi cercò {thing} e {it} trovò {spot}.", "\"E {the_thing} è {spot}\", disse {friend}."),
        ("{friend} vinse.", "\"Sei {fgood} in questo gioco\", disse {hero}.", ""),
    ),
}  # fmt: skip
PLOTS = (LOST, GIFT, SWAP, ANIMAL, BUY, HIDE)
