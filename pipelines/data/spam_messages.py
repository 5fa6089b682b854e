"""Writes `spam.csv` beside it: short messages, half of them spam, from templates and a fixed seed.

Some words are on both sides (free, offer, today, account), so that a model has something to learn.
`python pipelines/data/spam_messages.py` prints them.
"""

import csv
import io
import random
import string
import sys

EACH = 110
SEED = 20260102
SPAM = (
    "Congratulations {name}, you have won a {prize}! Claim it {when} at {site}",
    "FREE {prize} for the first {number} callers, ring {phone} {when}",
    "Your {thing} is suspended. Confirm your password at {site} {when}",
    "{name}, lose {number} kilos in {number} days, no sport, order at {site}",
    "Loan of {number}000 without questions, approved {when}: {site}",
    "Last chance: {prize} at {number} percent off, offer ends {when}",
    "Dear customer, we owe you {number} euros. Send your card number to {phone}",
    "Hot singles near you want to chat {when}, reply YES to {phone}",
    "Double your money in {number} days, guaranteed, ask {name} at {phone}",
    "You were chosen for a secret {prize}. Reply WIN to {phone} before it is gone",
    "Cheap {thing}, no contract, call {phone} {when} for our offer",
)
HAM = (
    "Hi {name}, are you free for lunch {when}?",
    "The train is {number} minutes late, start without me",
    "Can you send me the report for the {thing} {when}? Thanks",
    "{name} asks whether you still have the {thing}",
    "Dinner at {number}? I could bring a {prize} for the kids",
    "Your parcel with the {thing} arrives {when} before {number}",
    "I won the game against {name} {when}, call me",
    "Please confirm the meeting with {name} {when} at {number}",
    "We are out of milk, and the {thing} is broken again",
    "Happy birthday {name}! See you {when}",
    "The offer from the plumber is {number}0 euros, shall we take it?",
)
WORDS = {
    "name": ("Ada", "Ben", "Cleo", "Dana", "Emil", "Finn", "Greta", "Hugo", "Ines", "Jon", "Kira", "Leo"),
    "prize": ("phone", "cruise", "voucher", "bicycle", "laptop", "holiday", "watch", "hamper"),
    "when": ("today", "tonight", "tomorrow", "on Monday", "this week", "now", "after work", "by noon"),
    "site": ("win-now.example", "bank-check.example", "deals4u.example", "claim.example"),
    "phone": ("555 0100", "555 0123", "555 0147", "555 0199"),
    "thing": ("account", "printer", "card", "heating", "subscription", "car", "router", "insurance"),
    "number": tuple(map(str, range(3, 60))),
}


def messages() -> list[tuple[str, str]]:
    """Text and label, no text twice."""
    chance = random.Random(SEED)  # noqa: S311
    found: dict[str, str] = {}
    for label, templates in (("spam", SPAM), ("ham", HAM)):
        wanted = len(found) + EACH
        while len(found) < wanted:
            found[filled(chance.choice(templates), chance)] = label
    rows = list(found.items())
    chance.shuffle(rows)
    return rows


def filled(template: str, chance: random.Random) -> str:
    names = [name for _, name, _, _ in string.Formatter().parse(template) if name]
    return template.format(**{name: chance.choice(WORDS[name]) for name in names})


def written() -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["text", "label"])
    writer.writerows(messages())
    return out.getvalue()


if __name__ == "__main__":
    sys.stdout.write(written())
