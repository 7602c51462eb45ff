#!/usr/bin/env python3
"""Embeds docs/openapi.json into Swift, so that the gateway serves its own description at /api/v1/openapi.json.

    scripts/embed-openapi.py            writes Sources/Gateway/RestAPI/OpenAPIDocument.swift
    scripts/embed-openapi.py --check    exits 1, naming the remedy, when the committed file is out of date
"""

import argparse
import json
import pathlib
import sys

REPOSITORY = pathlib.Path(__file__).resolve().parent.parent
SOURCE = REPOSITORY / "docs" / "openapi.json"
TARGET = REPOSITORY / "Sources" / "Gateway" / "RestAPI" / "OpenAPIDocument.swift"

# The literal's delimiter: the document may not contain it, checked below.
HASHES = "###"

TEMPLATE = """\
// swift-format-ignore-file
// Written by scripts/embed-openapi.py from docs/openapi.json. Change that, not this file.

/// The description of the HTTP API that `GET /api/v1/openapi.json` answers: the bytes of docs/openapi.json.
enum OpenAPIDocument {{
  static let bytes: [UInt8] = Array(text.utf8)
}}

private let text = {literal}
"""


def generate() -> str:
    text = SOURCE.read_text(encoding="utf-8")
    try:
        json.loads(text)
    except ValueError as error:
        sys.exit(f"docs/openapi.json is not JSON: {error}")
    if '"""' + HASHES in text or "\\" + HASHES in text:
        sys.exit("docs/openapi.json contains the literal's delimiter, choose another number of hashes")
    if "\r" in text or "\0" in text:
        sys.exit("docs/openapi.json contains a carriage return or a null, use plain line feeds")
    # The line feed before the closing delimiter is not part of the literal.
    return TEMPLATE.format(literal=f'{HASHES}"""\n{text}\n"""{HASHES}')


def main() -> None:
    parser = argparse.ArgumentParser(description="Embed the description of the HTTP API into Swift.")
    parser.add_argument("--check", action="store_true", help="only say whether the committed file is up to date")
    arguments = parser.parse_args()
    generated = generate()
    if arguments.check:
        if not TARGET.exists() or TARGET.read_text(encoding="utf-8") != generated:
            sys.exit("OpenAPIDocument.swift is out of date: run scripts/embed-openapi.py and commit the result")
        return
    TARGET.write_text(generated, encoding="utf-8")


if __name__ == "__main__":
    main()
