"""Where personal data stands in a text: spans by kind, each found by its form and checked by what the form allows."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Literal

Kind = Literal["e-mail", "iban", "card", "ip", "phone"]
Span = tuple[int, int]
BEFORE = 40
"""Characters before a number in which words say what it is."""

LOCAL = re.compile(r"\w[\w.%+'-]*\Z")
DOMAIN = re.compile(r"(?:[^\W_](?:[\w-]{0,61}[^\W_])?\.){1,8}([^\W\d_]{2,24})(?![\w@]|-\w|\.\w)")
PATH = re.compile(r":[\w/]")
"""After `git@` and a host: `git@github.com:org/repo`."""
GENERIC = frozenset(("biz", "com", "edu", "gov", "info", "net", "org"))
"""Ends of hosts after which a bracket calls nothing, as it does in `A@B.transpose(x)`."""
FILES = frozenset(("css", "gif", "html", "jpeg", "jpg", "js", "json", "png", "svg", "txt", "webp"))
"""Ends of file names that end no host: `icon@2x.png`."""

IBAN = re.compile(r"[A-Z]{2}(?<!\w[A-Z]{2})[0-9]{2}(?=([A-Z0-9 ]{11,42}))")
COUNTRIES = (
    "AD24 AE23 AL28 AT20 AZ28 BA20 BE16 BG22 BH22 BR29 CH21 CR22 CY28 CZ24 DE22 DK18 DO28 EE20 EG29 ES24 FI18 FO18 FR27 "
    "GB22 GE22 GI23 GL18 GR27 GT28 HR21 HU28 IE22 IL23 IS26 IT27 JO30 KW30 KZ20 LB28 LI21 LT20 LU20 LV21 MC27 MD24 ME22 "
    "MK19 MR27 MT31 MU30 NL18 NO15 PK24 PL28 PS29 PT25 QA29 RO24 RS22 SA24 SE24 SI19 SK24 SM27 TN24 TR26 UA29 VA22 VG24 XK20"
)
LENGTHS = {one[:2]: int(one[2:]) for one in COUNTRIES.split()}

CARD = re.compile(
    r"[2-6][0-9]{3}(?<![\w.-][0-9]{4})(?:([ -])[0-9]{4}\1[0-9]{4}\1[0-9]{4}|([ -])[0-9]{6}\2[0-9]{4,5}|[0-9]{9,15})(?!\w|[.-][0-9])"
)
ISSUERS = re.compile(
    r"4(?:\d{12}|\d{15}|\d{18})|(?:5[1-5]|2[2-7])\d{14}|3[47]\d{13}|3(?:0[0-5]|[689]\d)\d{11}|35\d{14}|6(?:011|4[4-9]\d|5\d\d)\d{12}|62\d{14,17}"
)
"""Visa, Mastercard, American Express, Diners Club, JCB, Discover, UnionPay."""

IPV4 = re.compile(
    r"[1-9](?<![\w.][1-9])[0-9]{0,2}(?:\.[0-9]{1,3}){3}(?!\w|\.\w|-(?!(?:[0-9]{1,3}\.){3})\w)",
)
IPV6 = re.compile(r"[23](?<![\w.:-][23])[0-9A-Fa-f]{3}(?::[0-9A-Fa-f]{0,4}){2,7}(?![\w:])")
"""Of the public ones, 2000::/3."""
NO_ADDRESS = re.compile(
    r"(?:\b(?:v|ver|versions?|releases?|rev|revisions?|builds?|firmware|drivers?|patch|kernel|upgraded?|updated?|sections?"
    r"|chapters?|clauses?|articles?|figures?|tables?)|§)[\s.:=#\"'(,]*(?:(?:is|was|to|from|of|number|no\.?) +)?\Z"
    r"|[=<>~^!]= *\Z|[<>~^] *\Z|[A-Za-z_)][/-]\Z",
    re.IGNORECASE,
)
ADDRESS = re.compile(
    r"\b(?:ip|ipv4|address|addr|host|server|client|ping|dns|gateway|router|remote|peer)\b|://|@", re.IGNORECASE
)

_BETWEEN = r"(?:[ ./-]|\)[ .-]?|[ .-]?\()?"
NUMBER = re.compile(rf"[+(0-9](?<![\w.,+/$€£#=-][+(0-9])(?:{_BETWEEN}[0-9]){{6,15}}(?!\w|[-.,:/][0-9])")
AMERICAN = re.compile(
    r"(?<![0-9./-])(?:\+?1[ .-]?)?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}([.-]))[2-9][0-9]{2}[ .-][0-9]{4}(?![0-9.-])"
)
DATE = re.compile(r"[0-9]{4}[-./][0-9]{1,2}[-./][0-9]{1,2}\b|[0-9]{1,2}[-./][0-9]{1,2}[-./][0-9]{4}\b")
CALLED = re.compile(
    r"\b(?:tel|telephone|telefono|telefon|tél|phone|mobile|cell|cellulare|handy|fax|whatsapp|sms|(?:call|text) (?:me|us|him|her|them))"
    r"\b\D{0,20}\Z",
    re.IGNORECASE,
)


def spans(text: str, kinds: tuple[Kind, ...]) -> list[tuple[Span, Kind]]:
    """Where what stands, in order; where two overlap, the kind that comes first in `Kind`."""
    found: list[tuple[Span, Kind]] = []
    taken = bytearray(len(text))
    for kind, finder in FINDERS.items():
        for start, end in finder(text) if kind in kinds else ():
            if not any(taken[start:end]):
                found.append(((start, end), kind))
                taken[start:end] = b"\1" * (end - start)
    return sorted(found)


def _e_mails(text: str) -> Iterator[Span]:
    at = text.find("@")
    while at >= 0:
        local = LOCAL.search(text, max(0, at - 64), at)
        domain = DOMAIN.match(text, at + 1)
        if local and domain and _is_address(local[0], domain):
            yield local.start(), domain.end()
        at = text.find("@", at + 1)


def _is_address(local: str, domain: re.Match[str]) -> bool:
    """Whether what has the form of an address is one, by its end and what comes after it."""
    end, after = domain[1].lower(), domain.end()
    if local == "git" and PATH.match(domain.string, after):
        return False
    return end not in FILES and (end in GENERIC or not domain.string.startswith("(", after))


def _ibans(text: str) -> Iterator[Span]:
    for found in IBAN.finditer(text):
        length = LENGTHS.get(found[0][:2], 0)
        signs = [at for at in range(found.start(), found.end(1)) if text[at] != " "][:length]
        if not signs or len(signs) < length or text[signs[-1] + 1 : signs[-1] + 2].isalnum():
            continue
        account = "".join(text[at] for at in [*signs[4:], *signs[:4]])
        if int("".join(str(int(sign, 36)) for sign in account)) % 97 == 1:  # ISO 13616
            yield signs[0], signs[-1] + 1


def _cards(text: str) -> Iterator[Span]:
    for found in CARD.finditer(text):
        digits = re.sub("[ -]", "", found[0])
        if ISSUERS.fullmatch(digits) and _luhn(digits):
            yield found.span()


def _luhn(digits: str) -> bool:
    """Its last digit is the checksum of the others (ISO/IEC 7812)."""
    doubled = [int(digit) * 2 for digit in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(number - 9 * (number > 9) for number in doubled)) % 10 == 0


def _addresses(text: str) -> Iterator[Span]:
    """Public IP addresses. Four numbers are none after words for versions and sections, nor, without words for
    addresses, where all are below 32 as in versions."""
    for found in IPV4.finditer(text):
        before = text[max(0, found.start() - BEFORE) : found.start()]
        small = all(int(part) < 32 for part in found[0].split("."))
        if _public(found[0]) and not NO_ADDRESS.search(before) and (not small or ADDRESS.search(before)):
            yield found.span()
    yield from (found.span() for found in IPV6.finditer(text) if _public(found[0]))


def _public(address: str) -> bool:
    from ipaddress import ip_address

    try:
        return ip_address(address).is_global
    except ValueError:
        return False


def _phones(text: str) -> Iterator[Span]:
    """Numbers with a country's code (+39 ...), American ones as they are written, others after words such as `tel.`"""
    for found in NUMBER.finditer(text):
        digits = sum(map(str.isdigit, found[0]))
        start, end = found.span()
        if found[0][0] == "+" and digits >= 8 and found[0][1] != "0":
            yield start, end
        elif american := AMERICAN.search(text, start, end):
            yield american.span()
        elif digits <= 13 and not DATE.match(found[0]) and CALLED.search(text, max(0, start - BEFORE), start):
            yield start, end


FINDERS: dict[Kind, Callable[[str], Iterator[Span]]] = {
    "e-mail": _e_mails,
    "iban": _ibans,
    "card": _cards,
    "ip": _addresses,
    "phone": _phones,
}
