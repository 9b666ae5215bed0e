"""MaskPII: each kind by examples, and precision and recall on thousands of generated texts."""

from __future__ import annotations

import random
import string
import time
import uuid
from collections import Counter
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smolrecipes import MaskPII, RecipeError
from smolrecipes.transforms.personal import LENGTHS, spans

KINDS: Any = ("e-mail", "iban", "card", "ip", "phone")
AROUND = (
    "{}",
    "Please note {} for later.",
    "({})",
    "We had {}, and then it rained.",
    "it is {}\nor not",
    '"{}"',
    "Ecco {}!",
)
Made = Callable[[random.Random], str]


def digits(rng: random.Random, count: int) -> str:
    return "".join(rng.choices(string.digits, k=count))


def masked(text: str, *kinds: str) -> str:
    outcome = MaskPII(kinds or KINDS).treat({"text": text, "origin": "a:1"})
    assert outcome.row is not None
    return str(outcome.row["text"])


def e_mail(rng: random.Random) -> str:
    name = rng.choice(["anna.rossi", "j.smith+news", "info", "o'neill", "müller", "x_1", "sales-team"])
    return f"{name}{digits(rng, 2)}@{rng.choice(['gmail.com', 'mail.example.co.uk', 'uni-bo.it', 'a1.io', 'web.de'])}"


def with_checksum(body: str) -> str:
    """A card number by Luhn's rule, written out: every second digit from the right counts twice, its digits summed."""
    for last in string.digits:
        numbers = [int(one) for one in (body + last)[::-1]]
        total = sum(n if place % 2 == 0 else sum(map(int, str(2 * n))) for place, n in enumerate(numbers))
        if total % 10 == 0:
            return body + last
    raise AssertionError


def card(rng: random.Random) -> str:
    start, length = rng.choice(
        [("4", 16), ("51", 16), ("55", 16), ("37", 15), ("6011", 16), ("3530", 16), ("2221", 16)]
    )
    number = with_checksum(start + digits(rng, length - len(start) - 1))
    parts = [4, 10, length] if length == 15 else [4, 8, 12, 16]
    groups = [number[a:b] for a, b in zip([0, *parts], parts)]
    return rng.choice([" ", "-", ""]).join(groups)


def iban(rng: random.Random, wrong: int = 0) -> str:
    country = rng.choice(sorted(LENGTHS))
    letters = "".join(rng.choices(string.ascii_uppercase + string.digits * 4, k=LENGTHS[country] - 4))
    left = int("".join(str(int(sign, 36)) for sign in f"{letters}{country}00")) % 97
    whole = f"{country}{(98 - left + wrong - 2) % 97 + 2:02}{letters}"
    return " ".join(whole[at : at + 4] for at in range(0, len(whole), 4)) if rng.random() < 0.5 else whole


def public_4(rng: random.Random) -> str:
    while not (address := IPv4Address(rng.getrandbits(32))).is_global or address.is_multicast:
        pass
    return rng.choice(["{}", "http://{}/", "host {}", "{}:8080", "from {}", "{}/24"]).format(address)


def public_6(rng: random.Random) -> str:
    address = IPv6Address((0x2A00 + rng.getrandbits(8) << 112) + rng.getrandbits(rng.choice([16, 64, 112])))
    return rng.choice([address.compressed, address.exploded])


def phone(rng: random.Random) -> str:
    american = f"{rng.randint(2, 9)}{digits(rng, 2)}", f"{rng.randint(2, 9)}{digits(rng, 2)}", digits(rng, 4)
    a, b, c = american
    return rng.choice(
        [
            f"+39 0{rng.randint(2, 9)} {digits(rng, 4)} {digits(rng, 4)}",
            f"+39 3{digits(rng, 2)} {digits(rng, 7)}",
            f"+44 20 7{digits(rng, 3)} {digits(rng, 4)}",
            f"+49 (0)30 {digits(rng, 7)}",
            f"+33{rng.randint(1, 9)}{digits(rng, 8)}",
            f"({a}) {b}-{c}",
            f"{a}-{b}-{c}",
            f"1-{a}-{b}-{c}",
            f"{a}.{b}.{c}",
            f"+1 ({a}) {b}-{c}",
            f"tel. 0{rng.randint(2, 9)} {digits(rng, 7)}",
            f"call me at {a}{b}{c}",
            f"cellulare: 3{digits(rng, 2)} {digits(rng, 3)} {digits(rng, 4)}",
            f"Phone number: 020 7{digits(rng, 3)} {digits(rng, 4)}",
        ]
    )


def version(rng: random.Random) -> str:
    number = ".".join(str(rng.randint(0, 40)) for _ in range(4))
    forms = [
        "version {}",
        "v{}",
        "v. {}",
        "libfoo-{}.tar.gz",
        "foo=={}",
        "foo >= {}",
        "Chrome/{}",
        "release {}",
        "{}.5",
    ]
    return rng.choice([*forms, "upgraded to {}", "firmware {}", "section {}", "package {}-1ubuntu2"]).format(number)


def bare_version(rng: random.Random) -> str:
    return "Foo " + ".".join(str(rng.randint(0, 31)) for _ in range(4))


def isbn(rng: random.Random) -> str:
    return rng.choice(
        [f"ISBN 978-{digits(rng, 1)}-{digits(rng, 3)}-{digits(rng, 5)}-{digits(rng, 1)}", f"978{digits(rng, 10)}"]
    )


def time_of(rng: random.Random) -> str:
    day = f"{rng.randint(1990, 2030)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    clock = f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}:{rng.randint(0, 59):02}"
    forms = [f"{day}T{clock}Z", f"{day} {clock}.{digits(rng, 6)}", f"{day}T{clock}+02:00", f"17{digits(rng, 8)}"]
    return rng.choice([*forms, f"17{digits(rng, 11)}", f"17{digits(rng, 14)}", day, day.replace("-", "/"), clock])


def digest(rng: random.Random) -> str:
    long = "".join(rng.choices("0123456789abcdef", k=rng.choice([7, 32, 40, 64])))
    return rng.choice([long, str(uuid.UUID(int=rng.getrandbits(128))), f"0x{long}", f"sha256:{long}"])


def price(rng: random.Random) -> str:
    forms = [
        f"${digits(rng, 7)}",
        f"€ {digits(rng, 3)}.{digits(rng, 3)}.{digits(rng, 3)},00",
        f"$1,{digits(rng, 3)},{digits(rng, 3)}.99",
    ]
    return rng.choice([*forms, f"{digits(rng, 9)} items", f"{digits(rng, 3)},{digits(rng, 3)},{digits(rng, 3)} people"])


def no_card(rng: random.Random) -> str:
    number = with_checksum("4" + digits(rng, 14))
    wrong = number[:-1] + str((int(number[-1]) + rng.randint(1, 9)) % 10)
    return rng.choice(
        [wrong, f"order {wrong}", " ".join(wrong[at : at + 4] for at in range(0, 16, 4)), f"1{digits(rng, 15)}"]
    )


def no_address(rng: random.Random) -> str:
    private = rng.choice(["192.168.1.", "10.0.0.", "127.0.0.", "172.16.4.", "203.0.113."]) + str(rng.randint(1, 254))
    mac = ":".join(f"{rng.getrandbits(8):02x}" for _ in range(6))
    return rng.choice(
        [private, mac, "300.1.2.3", "fe80::1", "::1", "2001:db8::1", "std::vector", "a::b", "1.2.3", "12:30:45"]
    )


def code(rng: random.Random) -> str:
    forms = [
        "@app.route",
        "lodash@4.17.21",
        "icon@2x.png",
        "git@github.com:org/repo.git",
        "a@b",
        "A@B.transpose(x)",
        "x @ y.z",
    ]
    numbers = [
        "3.14159265358979",
        "-122.419416",
        "1990-2000",
        "12-34-56",
        "(1234567)",
        "[1, 2, 3, 4, 5, 6, 7, 8]",
        "0.5.5.5.5",
    ]
    return rng.choice([*forms, *numbers, "1 2 3 4 5 6 7 8 9", "+12", "a+12345678901", "5551234"])


INJECTED: dict[str, Made] = {
    "e-mail": e_mail,
    "card": card,
    "iban": iban,
    "ip": public_4,
    "ip 6": public_6,
    "phone": phone,
}
DECOYS: tuple[Made, ...] = (
    *(version, bare_version, isbn, time_of, digest, price, no_card, no_address, code),
    lambda rng: iban(rng, wrong=rng.randint(1, 96)),
)


def test_precision_and_recall_on_generated_texts() -> None:
    rng, missed, wrong = random.Random(7), Counter[str](), Counter[str]()
    for kind, make in INJECTED.items():
        for _ in range(300):
            text = rng.choice(AROUND).format(make(rng))
            found = [which for _, which in spans(text, KINDS)]
            missed[kind] += found != [kind.split()[0]]
    for make in DECOYS:
        for _ in range(200):
            wrong[make.__name__] += bool(spans(rng.choice(AROUND).format(make(rng)), KINDS))
    right = 300 * len(INJECTED) - missed.total()
    assert right / (300 * len(INJECTED)) > 0.98, missed
    assert right / (right + wrong.total()) > 0.98, wrong


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Write to Anna <anna.rossi@mail.it>.", "Write to Anna <[e-mail]>."),
        ("bob@example.com:hunter2 bob@example.com(work)", "[e-mail]:hunter2 [e-mail](work)"),
        ("bob@example.com- bob@example.com-mail x@y.it:/home", "[e-mail]- bob@example.com-mail [e-mail]:/home"),
        ("git@example.com:org/repo, git@example.com: yes", "git@example.com:org/repo, [e-mail]: yes"),
        ("@support write to john@example.com", "@support write to [e-mail]"),
        ("mailto:a@b.com, 'c@d.org'", "mailto:[e-mail], '[e-mail]'"),
        ("Pay 4111 1111 1111 1111 12/26, CVC 123", "Pay [card] 12/26, CVC 123"),
        ("3782-822463-10005", "[card]"),
        ("IBAN IT60 X054 2811 1010 0000 0123 456 AND MORE", "IBAN [iban] AND MORE"),
        ("GB82WEST12345698765432", "[iban]"),
        ("GB82WEST12345698765432 IT60X0542811101000000123456", "[iban] [iban]"),
        ("§ 8.8.8.8, patch 8.8.4.4", "§ 8.8.8.8, patch 8.8.4.4"),
        ("dispatch from host 8.8.8.8", "dispatch from host [ip]"),
        ("ping 8.8.8.8, then 81.2.69.142:80", "ping [ip], then [ip]:80"),
        ("versions 1.2.3.4 and 8.8.8.8", "versions 1.2.3.4 and 8.8.8.8"),
        ("81.2.69.142-81.2.69.150", "[ip]-[ip]"),
        ("2606:4700:4700::1111 answers", "[ip] answers"),
        ("Call +39 06 1234 5678.", "Call [phone]."),
        ("(212) 555-0123 or 1-800-555-0199", "[phone] or [phone]"),
        ("tel 06 1234567, fax: 06/7654321", "tel [phone], fax: [phone]"),
        ("my phone broke on 2024-01-15", "my phone broke on 2024-01-15"),
        ("12 212-555-0123 is hers", "12 [phone] is hers"),
    ],
)
def test_what_is_masked(text: str, after: str) -> None:
    assert masked(text) == after


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("Foo 5.140.3.122", "Foo [ip]"),
        ("part 212-555-0123", "part [phone]"),
        ("06 1234567", "06 1234567"),
        ("2125550123", "2125550123"),
        ("1.2.3.4", "1.2.3.4"),
    ],
)
def test_what_no_form_tells(text: str, after: str) -> None:
    """The limits that docs/transforms.md names."""
    assert masked(text) == after


def test_only_the_kinds_that_are_asked_for() -> None:
    text = "a@b.com, 8.8.8.8 is the host, +39 06 1234 5678"
    assert masked(text, "e-mail") == "[e-mail], 8.8.8.8 is the host, +39 06 1234 5678"
    assert masked(text, "phone") == "a@b.com, 8.8.8.8 is the host, [phone]"


def test_reasons_tell_each_kind_once_and_all_texts_of_a_row_are_read() -> None:
    turns = [{"role": "user", "content": "a@b.com c@d.org"}, {"role": "assistant", "content": "+39 06 1234 5678"}]
    outcome = MaskPII(mask="<{kind}>").treat({"messages": turns, "tools": None, "origin": "a:1"})
    assert outcome.row is not None and outcome.reasons == ("e-mail masked", "phone masked")
    assert [turn["content"] for turn in outcome.row["messages"]] == ["<e-mail> <e-mail>", "<phone>"]


def test_a_mask_is_not_masked_itself() -> None:
    step = MaskPII(mask="+39 06 1234 5678")
    assert step.treat({"text": "a@b.com a@b.com", "origin": "a:1"}).row == {
        "text": "+39 06 1234 5678 +39 06 1234 5678",
        "origin": "a:1",
    }


@given(st.text(st.sampled_from("0123456789.:-+ ()@aAb/"), max_size=60) | st.text(max_size=40))
def test_what_is_found_lies_in_the_text_and_in_order(text: str) -> None:
    found = spans(text, KINDS)
    ends = [0, *(end for (_, end), _ in found)]
    assert all(before <= start < end <= len(text) for before, ((start, end), _) in zip(ends, found))
    if not found:
        assert masked(text) == text


@pytest.mark.parametrize("sign", ["@", "1.", "1 ", "+1(", "a.", "4111 ", "A1", "2:", "a@a.", "a@b.com ", "AB12 "])
def test_long_texts_take_no_longer_than_their_length_asks(sign: str) -> None:
    """Sixteen times as long, were it quadratic."""
    began = time.process_time()
    spans(sign * 50_000, KINDS)
    once = time.process_time() - began
    found = spans(sign * 200_000, KINDS)
    assert time.process_time() - began - once < 10 * once + 1
    assert bool(found) == bool(spans(sign * 50, KINDS))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"mask": "[{}]"}, "mask: only {kind} is filled in"),
        ({"mask": "[{name}]"}, "mask: only {kind} is filled in"),
        ({"mask": "{"}, "mask: only {kind} is filled in"),
        ({"mask": "{kind.foo}"}, "mask: only {kind} is filled in"),
        ({"mask": "{kind.upper}"}, "mask: only {kind} is filled in"),
        ({"kinds": ()}, "kinds"),
        ({"kinds": ("mail",)}, "kinds.*should be 'e-mail'"),
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(RecipeError, match=f"^MaskPII.{sentence}"):
        MaskPII(**options)
