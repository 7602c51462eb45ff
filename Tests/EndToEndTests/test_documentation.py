"""docs/operations.md against the gateway's own sources: every reason it closes with stands in the table."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def documented_reasons():
    text = (ROOT / "docs" / "operations.md").read_text()
    table = text.partition("## Close codes")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if re.match(r"\| \d{4} \|", line)]
    return {reason for row in rows for reason in re.findall(r"`([^`]+)`", row[2])}


def test_every_reason_that_the_gateway_closes_with_is_documented():
    source = "\n".join(path.read_text() for path in sorted((ROOT / "Sources" / "Gateway").rglob("*.swift")))
    used = set(re.findall(r"\.close\(\.\w+, \"([^\"]+)\"", source))
    used |= set(re.findall(r"code: \.\w+, reason: \"([^\"]+)\"", source))
    used |= set(re.findall(r"\.(?:replaced|policyViolation), reason: \"([^\"]+)\"", source))
    assert len(used) >= 5
    assert used <= documented_reasons()
