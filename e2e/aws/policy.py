"""The part of the IAM policy language that decides whether the endpoint serves a request.

It errs on the side of refusing: an operator or condition key that is not known here keeps an Allow from holding and makes a
Deny hold. A document that cannot be read grants nothing.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from collections.abc import Callable, Iterable
from typing import Any

Context = dict[str, list[str]]


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]


@functools.lru_cache(maxsize=20_000)
def statements(document: str) -> tuple[dict[str, Any], ...]:
    try:
        found = as_list(json.loads(document)["Statement"])
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(statement for statement in found if isinstance(statement, dict))


@functools.lru_cache(maxsize=50_000)
def _pattern(glob: str, ignore_case: bool) -> re.Pattern[str]:
    expression = "".join(".*" if c == "*" else "." if c == "?" else re.escape(c) for c in glob)
    return re.compile(expression, re.DOTALL | (re.IGNORECASE if ignore_case else 0))


def matches(glob: str, text: str, ignore_case: bool = False) -> bool:
    return _pattern(glob, ignore_case).fullmatch(text) is not None


def _substitute(pattern: str, context: Context) -> str | None:
    """Puts in policy variables as literal text; None where one has no value, since such a pattern matches nothing."""
    missing = False

    def value(found: re.Match[str]) -> str:
        nonlocal missing
        values = context.get(found[1].strip().lower(), [])
        missing = missing or len(values) != 1
        return values[0] if len(values) == 1 else ""

    text = re.sub(r"\$\{([^}]*)\}", value, pattern)
    return None if missing else text


def _in_network(want: str, have: str) -> bool:
    return ipaddress.ip_address(have) in ipaddress.ip_network(want, strict=False)


OPERATORS: dict[str, Callable[[str, str], bool]] = {
    "stringequals": lambda want, have: want == have,
    "stringequalsignorecase": lambda want, have: want.casefold() == have.casefold(),
    "stringlike": matches,
    "arnequals": matches,
    "arnlike": matches,
    "bool": lambda want, have: want.casefold() == have.casefold(),
    "ipaddress": _in_network,
    "numericequals": lambda want, have: float(have) == float(want),
    "numericlessthan": lambda want, have: float(have) < float(want),
    "numericlessthanequals": lambda want, have: float(have) <= float(want),
    "numericgreaterthan": lambda want, have: float(have) > float(want),
    "numericgreaterthanequals": lambda want, have: float(have) >= float(want),
}


def _test(operator: str, key: str, wanted: list[str], context: Context) -> bool | None:
    """One line of a Condition block: whether it holds, None if the operator is not known here."""
    name, quantifier = operator.lower(), ""
    if ":" in name:
        quantifier, name = name.split(":", 1)
    values = context.get(key.lower())
    if name == "null":
        return (values is None) == ("true" in [want.lower() for want in wanted])
    optional = name.endswith("ifexists")
    name = name.removesuffix("ifexists")
    negated = "not" in name
    test = OPERATORS.get(name.replace("not", "", 1))
    if test is None:
        return None
    if not values:
        return optional or negated or quantifier == "forallvalues"
    try:
        held = [any(test(_substitute(want, context) or "", have) for want in wanted) for have in values]
    except ValueError:
        return False
    held = [hit != negated for hit in held]
    return any(held) if quantifier == "foranyvalue" else all(held)


def _condition_holds(statement: dict[str, Any], context: Context) -> bool:
    unknown = statement.get("Effect") != "Allow"
    for operator, lines in (statement.get("Condition") or {}).items():
        for key, wanted in lines.items():
            text = [str(want).lower() if isinstance(want, bool) else str(want) for want in as_list(wanted)]
            holds = _test(operator, key, text, context)
            if not (unknown if holds is None else holds):
                return False
    return True


def _concerns(statement: dict[str, Any], action: str, resource: str | None, context: Context) -> bool:
    if "NotAction" in statement:
        if any(matches(str(glob), action, True) for glob in as_list(statement["NotAction"])):
            return False
    elif not any(matches(str(glob), action, True) for glob in as_list(statement.get("Action"))):
        return False
    if resource is None:
        return True

    def hits(pattern: str) -> bool:
        text = _substitute(pattern, context)
        return text is not None and matches(text, resource)

    if "NotResource" in statement:
        return not any(hits(str(pattern)) for pattern in as_list(statement["NotResource"]))
    return any(hits(str(pattern)) for pattern in as_list(statement.get("Resource")))


def decide(
    documents: Iterable[str],
    action: str,
    resource: str | None,
    context: Context,
    principal: Callable[[dict[str, Any]], str | None] | None = None,
) -> str | None:
    """`deny`, what allows it, or None.

    For identity policies the positive answer is `allow`. For a trust policy (`resource` is None) `principal` says how a
    statement names the caller, and the answer is its strongest word.
    """
    answers: set[str] = set()
    for document in documents:
        for statement in statements(document):
            if not _concerns(statement, action, resource, context):
                continue
            named = principal(statement) if principal else "allow"
            if named is None or not _condition_holds(statement, context):
                continue
            if statement.get("Effect") != "Allow":
                return "deny"
            answers.add(named)
    return next((word for word in ("allow", "direct", "through-account") if word in answers), None)
