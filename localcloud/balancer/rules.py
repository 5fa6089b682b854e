"""Listener rules as HAProxy's words: which conditions a request must meet, and what is then done with it.

The first rule that matches wins, whatever its action; HAProxy runs `return`, `redirect` and `use_backend` in phases of
its own. So the matching rule's number goes into a variable first, and every action asks for its number.
"""

import re
from collections.abc import Sequence

from localcloud.model import Action, ListenerRule

PLACEHOLDERS = {
    "#{protocol}": "%[var(txn.protocol)]",
    "#{host}": "%[var(txn.host)]",
    "#{port}": "%[var(txn.port)]",
    "/#{path}": "%[path]",
    "#{path}": "%[path,regsub(^/,)]",
    "#{query}": "%[query]",
}
NONE = "none"  # the backend without servers, which answers 503


def quote(text: str) -> str:
    """One word for HAProxy's configuration, taken literally."""
    return "'" + text.replace("'", "'\\''") + "'"


def pattern(glob: str) -> str:
    """An ALB pattern (`*` any run of characters, `?` exactly one) as a regular expression."""
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in glob)
    return "^" + "".join(parts) + "$"


def condition(rule: ListenerRule) -> str:
    """What must hold, each kind once, alternatives within a kind; empty when everything matches."""
    words = []
    if rule.path_patterns:
        words.append(_any("path -m reg", rule.path_patterns))
    if rule.host_headers:
        words.append(_any("var(txn.host) -m reg -i", rule.host_headers))
    if rule.methods:
        words.append("{ method -m str " + " ".join(map(quote, rule.methods)) + " }")
    if rule.source_cidrs:
        words.append("{ src " + " ".join(str(cidr) for cidr in rule.source_cidrs) + " }")
    words += [_any(f"req.hdr({name}) -m reg -i", values) for name, values in sorted(rule.headers.items())]
    return " ".join(words)


def _any(fetch: str, globs: Sequence[str]) -> str:
    return f"{{ {fetch} " + " ".join(quote(pattern(glob)) for glob in globs) + " }"


def choose(rules: Sequence[ListenerRule]) -> list[str]:
    """The lines that set `txn.rule` to the number of the first rule that matches."""
    lines = []
    for number, rule in enumerate(rules):
        wanted = " ".join(filter(None, ["!{ var(txn.rule) -m found }", condition(rule)]))
        lines.append(f"http-request set-var(txn.rule) int({number}) if {wanted}")
    return lines


def answer(number: int, action: Action, body_file: str | None) -> list[str]:
    """The lines by which the balancer itself answers. A forward has none."""
    chosen = f"{{ var(txn.rule) -m int {number} }}"
    if action.kind == "fixed-response":
        content = f" content-type {quote(action.content_type or 'text/plain')} file {body_file}" if body_file else ""
        return [f"http-request return status {action.status}{content} if {chosen}"]
    if action.kind == "redirect":
        code = re.sub(r"\D", "", action.redirect.get("StatusCode", "HTTP_302"))
        where = location(action)
        query = format_string(action.redirect.get("Query", "#{query}"))
        with_query = f"http-request redirect code {code} location {quote(f'{where}?{query}')}"
        optional = action.redirect.get("Query", "#{query}") == "#{query}"
        lines = [f"{with_query} if {chosen} {{ query -m found }}" if optional else f"{with_query} if {chosen}"]
        return [*lines, f"http-request redirect code {code} location {quote(where)} if {chosen}"]
    return []


def location(action: Action) -> str:
    """Where a redirect leads, up to the query, as HAProxy's format string."""
    wanted = action.redirect
    protocol = wanted.get("Protocol", "#{protocol}").lower()
    host, port = wanted.get("Host", "#{host}"), wanted.get("Port", "#{port}")
    return format_string(f"{protocol}://{host}:{port}{wanted.get('Path', '/#{path}')}")


def format_string(text: str) -> str:
    """Text with the ALB's placeholders as HAProxy's; a literal `%` doubled, as its format strings want it."""
    text = text.replace("%", "%%")
    for name, value in PLACEHOLDERS.items():
        text = text.replace(name, value)
    return text


def forward(number: int, action: Action, backends: Sequence[tuple[str, str, int]]) -> list[str]:
    """The lines that send a request on. `backends` are (healthy, fail-open, weight) of the rule's target groups.

    A group without a healthy target sends to all of its targets, as an ALB does; one without any answers 503.
    To a process that has handed over, and ends with its last connection, its backends count as empty though they work.
    """
    chosen = f"{{ var(txn.rule) -m int {number} }}"
    weighted = [each for each in backends if each[2] > 0]
    lines, below = [], 0
    for healthy, all_targets, weight in weighted:
        below += weight
        share = f" {{ var(txn.share{number}) -m int lt {below} }}" if len(weighted) > 1 else ""
        usable = f"{{ nbsrv({healthy}) gt 0 }} || {chosen}{share} {{ stopping }}"
        lines.append(f"use_backend {healthy} if {chosen}{share} {usable}")
        lines.append(f"use_backend {all_targets} if {chosen}{share} {{ nbsrv({all_targets}) gt 0 }}")
        lines.append(f"use_backend {NONE} if {chosen}{share}")
    return lines if action.kind == "forward" else []


def shares(number: int, action: Action) -> list[str]:
    """The draw between the weighted groups of a rule, made once for each request."""
    weights = [weight for weight in action.weights.values() if weight > 0]
    if action.kind != "forward" or len(weights) < 2:
        return []
    return [f"http-request set-var(txn.share{number}) rand({sum(weights)}) if {{ var(txn.rule) -m int {number} }}"]
