"""Texts and conversations that a deliverable is compared on: languages, scripts, code, white space, numbers, signs."""

from __future__ import annotations

from typing import Any

TEXTS = (
    "The cat sat on the mat, didn't it? It's 3.14 o'clock: we'll see.",
    "Perché l'acqua è così fredda? Non c'è più il sole, e là piove.",
    "Größe, Straße, Übermut: 1.234,56 € für 27 Äpfel!",
    "Où est l'été ? Ça coûte 12 € à Noël, n'est-ce pas ?",
    "¿Cuántos años tienes, niño? ¡Mañana será otro día!",
    "Zażółć gęślą jaźń; chrząszcz brzmi w trzcinie.",
    "Съешь ещё этих мягких французских булок, да выпей чаю.",
    "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία.",
    "نص عربي قصير، مع أرقام ١٢٣ و456.",
    "טקסט קצר בעברית, עם נקודות.",
    "यह हिन्दी का एक वाक्य है।",
    "今天天气很好，我们去公园吧。1234年",
    "これは日本語の文です。カタカナとひらがな。",
    "한국어 문장입니다. 띄어쓰기도 있어요.",
    "ภาษาไทยไม่มีช่องว่างระหว่างคำ",
    "def f(x):\n\tif x >= 10_000:\n        return {'a': [1, 2], \"b\": None}  # why?\n\n\n",
    "  two leading spaces,   three inside, and trailing ones  ",
    "\r\n\tTabs\t\tand\r\nlines \n \n\n \nWITH  CAPITALS'LL and 'RE ''' \"\"\" ``` --- === ...",
    "emoji 👍🏽 family 👨‍👩‍👧‍👦 flag 🇮🇹 accents e\u0301 a\u0300 zero\u200bwidth \u00a0nbsp",
    "3333333 12 007 1e-5 0x1F 192.168.0.1 a1b2c3 x=-1/2",
    "",
)
"""What token ids are compared on."""
TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "Tomorrow's weather, in a city's language: è, ß, \"…\"",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
CALL = {"type": "function", "function": {"name": "weather", "arguments": {"city": 'Torino è "bella"'}}}
CONVERSATIONS: tuple[tuple[list[dict[str, Any]], list[Any] | None], ...] = (
    ([{"role": "user", "content": "Hi!"}], None),
    ([{"role": "system", "content": "Be brief."}, {"role": "user", "content": 'Perché? <b>&\n"x"'}], None),
    (
        [
            {"role": "system", "content": "You are kind."},
            {"role": "user", "content": "One"},
            {"role": "assistant", "content": "Two"},
            {"role": "user", "content": "Three"},
        ],
        None,
    ),
    ([{"role": "user", "content": "What is the weather in Turin?"}], [TOOL]),
    (
        [
            {"role": "user", "content": "What is the weather in Turin?"},
            {"role": "assistant", "content": "", "tool_calls": [CALL]},
            {"role": "tool", "name": "weather", "content": '{"sky": "nuvoloso, più tardi piove", "degrees": 9.5}'},
            {"role": "assistant", "content": "It rains."},
            {"role": "user", "content": "And in Rome?"},
        ],
        [TOOL],
    ),
)
"""What rendering is compared on; those that the template itself refuses are left out."""
