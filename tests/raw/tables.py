"""All raw cases, subject by subject."""

from tests.raw import cases_answers, cases_fields, cases_framing, cases_heads, cases_limits, cases_upgrades
from tests.raw.cases import Case

ALL: list[Case] = [
    *cases_heads.CASES,
    *cases_framing.CASES,
    *cases_fields.CASES,
    *cases_upgrades.CASES,
    *cases_answers.CASES,
    *cases_limits.CASES,
]
