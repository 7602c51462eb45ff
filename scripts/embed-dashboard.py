#!/usr/bin/env python3
"""Embeds the dashboard's assets into Swift, so that the gateway is one file that serves its own page.

    scripts/embed-dashboard.py            writes Sources/Gateway/Dashboard/DashboardAssets.swift
    scripts/embed-dashboard.py --check    exits 1, naming the remedy, when the committed file is out of date

Assets become raw multi-line string literals: readable in a diff, no Foundation, no bundle at run time.
"""

import argparse
import hashlib
import pathlib
import sys

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "Sources" / "Gateway" / "Dashboard"
TARGET = FOLDER / "DashboardAssets.swift"

# name in the assets folder, Swift constant, content type
ASSETS = [
    ("index.html", "page", "text/html; charset=utf-8"),
    ("dashboard.css", "styleSheet", "text/css; charset=utf-8"),
    ("dashboard.js", "script", "text/javascript; charset=utf-8"),
    ("icon.svg", "icon", "image/svg+xml"),
]

# The literals' delimiter: no asset may contain it, checked below.
HASHES = "###"

PREAMBLE = """\
// swift-format-ignore-file
// Written by scripts/embed-dashboard.py from Sources/Gateway/Dashboard/assets. Change the assets, not this file.

/// One file of the dashboard, as it is sent.
package struct DashboardAsset: Sendable {
  /// The value of `Content-Type`.
  package let contentType: StaticString
  /// The value of `ETag` (RFC 9110 §8.8.3), quotes included. It changes exactly when the bytes do.
  package let entityTag: StaticString
  /// The content in UTF-8.
  package let body: [UInt8]
}

/// The dashboard at `/ui/`: a page, its style, its script and its icon, linked into the executable.
package enum DashboardAssets {
  /// Header fields that belong on every answer under `/ui/`. The policy allows the page's own files and a WebSocket to
  /// its own origin, no inline script, no frame around it (the page has buttons that decide things).
  package static let headerFields: [(name: StaticString, value: StaticString)] = [
    ("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cache-Control", "no-cache"),
  ]

  /// The asset at a path below `/ui/`: `""` and `"index.html"` are the page. `nil`: there is none, answer 404.
  package static func asset(path: String) -> DashboardAsset? {
    switch path {
"""


def literal(text: str, name: str) -> str:
    """A Swift raw string literal of exactly `text`."""
    if '"""' + HASHES in text or "\\" + HASHES in text:
        sys.exit(f"{name}: contains the literal's delimiter, choose another number of hashes")
    if "\r" in text or "\0" in text:
        sys.exit(f"{name}: contains a carriage return or a null, use plain line feeds")
    # The line feed before the closing delimiter is not part of the literal.
    return f'{HASHES}"""\n{text}\n"""{HASHES}'


def generate() -> str:
    parts = [PREAMBLE]
    for name, constant, _ in ASSETS:
        names = f'"", "{name}"' if name == "index.html" else f'"{name}"'
        parts.append(f"    case {names}: {constant}\n")
    parts.append("    default: nil\n    }\n  }\n")
    for name, constant, content_type in ASSETS:
        content = (FOLDER / "assets" / name).read_bytes()
        tag = hashlib.sha256(content).hexdigest()[:20]
        parts.append(f"""
  private static let {constant} = DashboardAsset(
    contentType: "{content_type}",
    entityTag: "\\"{tag}\\"",
    body: [UInt8]({constant}Text.utf8))
""")
    parts.append("}\n")
    for name, constant, _ in ASSETS:
        text = (FOLDER / "assets" / name).read_text(encoding="utf-8")
        parts.append(f"\nprivate let {constant}Text = {literal(text, name)}\n")
    return "".join(parts)


def main() -> None:
    parser = argparse.ArgumentParser(description="Embed the dashboard's assets into Swift.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed file is up to date")
    arguments = parser.parse_args()
    generated = generate()
    if arguments.check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != generated:
            sys.exit("DashboardAssets.swift is out of date: run scripts/embed-dashboard.py and commit the result")
        return
    TARGET.write_text(generated, encoding="utf-8")


if __name__ == "__main__":
    main()
