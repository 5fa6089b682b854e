"""The labelled messages are what their program writes."""

import csv
from collections import Counter

from pipelines.data import spam_messages
from tests.unit.documents import ROOT

FILE = ROOT / "pipelines" / "data" / "spam.csv"


def test_the_file_is_the_programs() -> None:
    assert FILE.read_text() == spam_messages.written()


def test_both_kinds_are_equally_many_and_no_message_is_twice() -> None:
    with FILE.open() as file:
        rows = list(csv.DictReader(file))
    assert Counter(row["label"] for row in rows) == {"spam": 110, "ham": 110}
    assert len({row["text"] for row in rows}) == len(rows)
