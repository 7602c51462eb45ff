"""The house itself: documents name what exists, links lead somewhere, and each part imports only what it may.

Needs no gateway: it reads the files of the repository."""

from __future__ import annotations

import pathlib
import re
import subprocess
from typing import Dict, Iterator, List, Set, Tuple

import pytest

from support.process import REPOSITORY

SOURCES = REPOSITORY / "Sources"
SOURCE_LINE_COUNT_MAX = 500
# What a Markdown file may name as code and is then held to: a path below one of these folders.
FOLDERS = ("Sources", "Tests", "scripts", "docs", "deploy", "clients")

# What a folder may import besides other folders' names. `ARCHITECTURE.md` says why; the order is from narrow to wide.
STANDARD = {"Synchronization"}
OURS = {"Protocol", "GatewayDomain"}
LINUX = {"Glibc", "CEpollShim"}
IMPORTS: Dict[str, Set[str]] = {
    "Protocol": set(),
    "Protocol/Deflate": {"CZlib"},
    "Protocol/Tokens": {"CCrypto"},
    "Protocol/WebSocket": {"CCrypto"},
    "Gateway/Domain": {"Protocol"},
    "Gateway": OURS | STANDARD,
    "Gateway/Dialects": OURS,
    "Gateway/RestAPI": OURS,
    "Gateway/Connection": OURS,
    # A clock that every log line asks, a wake descriptor, threads: where C is called.
    "Gateway/Lifecycle": OURS | STANDARD | LINUX,
    "Gateway/Logging": OURS | STANDARD | LINUX,
    "Gateway/Mailbox": OURS | STANDARD | LINUX,
    "Gateway/Storage": OURS | STANDARD | LINUX | {"CSQLite"},
    "Gateway/System": OURS | STANDARD | LINUX,
    "signalbox": {"Gateway", "Glibc"},
}

# Words that a folder's code must not contain: types of the parts that it may not know.
UNKNOWN_TO: Dict[str, List[str]] = {
    "Gateway/Domain": [r"Shard\w*", "Connection", "SharedFrame", "GatewayEnvironment", "Mailbox"],
    "Gateway/Dialects": [r"Shard\w*", "GatewayShared", "Connection", "ConnectionToken", "SharedFrame"],
    "Gateway/RestAPI": [r"Shard\w*", "GatewayShared", "Connection", "ConnectionToken", "SharedFrame"],
    "Gateway/Connection": ["TaskDesk", "ConfirmationDesk", "MessageDesk", "ActionDialect", "RestCall"],
    "Protocol": ["SystemRandomNumberGenerator", "ContinuousClock", "SuspendingClock", "Task", "Mutex"],
}


def tracked(*patterns: str) -> List[pathlib.Path]:
    """Files of the repository, committed or about to be; without git (a source archive), those on disk."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=REPOSITORY, capture_output=True,
    )  # fmt: skip
    if listing.returncode == 0:
        names = [name for name in listing.stdout.decode().split("\0") if name]
        return sorted({REPOSITORY / name for name in names if (REPOSITORY / name).is_file()})
    found = {path for pattern in patterns for path in REPOSITORY.rglob(pattern.rsplit("/", 1)[-1])}
    return sorted(path for path in found if not any(part.startswith(".") for part in path.parts))


def swift_files() -> List[pathlib.Path]:
    files = [path for path in tracked("*.swift") if SOURCES in path.parents]
    assert len(files) > 100
    return files


def is_generated(path: pathlib.Path) -> bool:
    """Written by one of the scripts, and says so in its first lines."""
    head = path.read_text(encoding="utf-8")[:300]
    return "swift-format-ignore-file" in head and re.search(r"// Written by scripts/\S+\.py from", head) is not None


def code(path: pathlib.Path) -> str:
    """A source file without comments and string literals, so that only what the compiler reads is judged."""
    text = path.read_text(encoding="utf-8")
    text = re.sub(r'(#*)"""\n.*?"""\1', '""', text, flags=re.DOTALL)
    text = re.sub(r'"(?:\\.|[^"\\\n])*"', '""', text)
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.DOTALL)
    return re.sub(r"//[^\n]*", "", text)


def room(path: pathlib.Path) -> str:
    """The key of IMPORTS that a source file falls under: its folder, or the nearest one above."""
    folder = path.parent.relative_to(SOURCES).as_posix()
    while folder not in IMPORTS:
        assert "/" in folder, f"{path}: Sources/{folder} has no row in IMPORTS"
        folder = folder.rsplit("/", 1)[0]
    return folder


def imports(text: str) -> Iterator[str]:
    access = r"(?:@\w+(?:\([^)]*\))?\s+)*(?:package |public |internal |private |fileprivate )?"
    pattern = rf"^\s*{access}import (?:\w+ )?(\w+)"
    return (match.group(1) for match in re.finditer(pattern, text, re.MULTILINE))


# Sources


def test_no_source_file_grows_beyond_its_bound() -> None:
    long = {
        str(path.relative_to(REPOSITORY)): count
        for path in swift_files()
        if not is_generated(path) and (count := path.read_text(encoding="utf-8").count("\n")) > SOURCE_LINE_COUNT_MAX
    }
    assert not long


def test_the_generated_files_are_the_known_ones() -> None:
    generated = [path.name for path in swift_files() if is_generated(path)]
    assert generated == ["DashboardAssets.swift", "OpenAPIDocument.swift"]


def test_each_part_imports_only_what_it_may() -> None:
    wrong = []
    seen = set()
    for path in swift_files():
        for module in imports(path.read_text(encoding="utf-8")):
            seen.add(module)
            if module not in IMPORTS[room(path)]:
                wrong.append(f"{path.relative_to(REPOSITORY)} imports {module}")
    assert {"Protocol", "Glibc", "CZlib"} <= seen
    assert not wrong


def test_nothing_imports_foundation() -> None:
    files = swift_files() + [path for path in tracked("*.swift") if path not in swift_files()]
    for path in files:
        for module in imports(path.read_text(encoding="utf-8")):
            assert not module.startswith("Foundation"), path


@pytest.mark.parametrize("folder", sorted(UNKNOWN_TO))
def test_a_part_does_not_know_what_it_must_not(folder: str) -> None:
    files = [path for path in swift_files() if SOURCES / folder in path.parents]
    assert files
    wrong = []
    for path in files:
        text = code(path)
        for word in UNKNOWN_TO[folder]:
            if re.search(rf"(?<![\w.]){word}\b", text) and not re.search(rf"\b(class|struct|enum) {word}\b", text):
                wrong.append(f"{path.relative_to(REPOSITORY)} names {word}")
    assert not wrong


def test_there_is_no_await_and_no_dispatch() -> None:
    for path in swift_files():
        assert not re.search(r"\b(async|await|actor|DispatchQueue)\b", code(path)), path


def test_nothing_is_forced() -> None:
    for path in swift_files():
        assert not re.search(r"\btry!|\bas!", code(path)), path


def test_no_build_product_is_in_the_repository() -> None:
    assert tracked("*.swiftmodule", "*.swiftdoc", "*.swiftsourceinfo", "*.o", "*.pyc") == []


# Documents


def documents() -> List[pathlib.Path]:
    found = tracked("*.md")
    assert {"README.md", "ARCHITECTURE.md"} <= {path.name for path in found}
    return found


def prose(path: pathlib.Path) -> str:
    """A document without its fenced blocks."""
    return re.sub(r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)


def anchors(path: pathlib.Path) -> Set[str]:
    """The anchors that a forge gives to the headings of a document."""
    headings = re.findall(r"^#{1,6} +(.+?)\s*$", prose(path), re.MULTILINE)
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|[`*]", r"\1", heading) for heading in headings)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


def links(path: pathlib.Path) -> List[str]:
    text = re.sub(r"`[^`\n]*`", "", prose(path))
    return re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", text)


def test_internal_links_resolve() -> None:
    wrong = []
    count = 0
    for document in documents():
        for link in links(document):
            if re.match(r"[a-z]+:", link):
                continue
            count += 1
            name, _, anchor = link.partition("#")
            target = (document.parent / name).resolve() if name else document
            if not target.exists():
                wrong.append(f"{document.relative_to(REPOSITORY)}: {link} does not exist")
            elif anchor and anchor not in anchors(target):
                wrong.append(f"{document.relative_to(REPOSITORY)}: {link} has no such heading")
    assert count > 40
    assert not wrong


def test_named_files_exist() -> None:
    wrong = []
    count = 0
    for document in documents():
        for name in re.findall(r"`([^`\s]+)`", prose(document)):
            path = name.rstrip("/")
            isPath = path.split("/")[0] in FOLDERS and "/" in path or re.fullmatch(r"[A-Z]+\.md|Package\.swift", path)
            if not isPath or re.search(r"[*…<>{}]", path):
                continue
            count += 1
            if not (REPOSITORY / path).exists() and not (document.parent / path).exists():
                wrong.append(f"{document.relative_to(REPOSITORY)} names {name}")
    assert count > 50
    assert not wrong


def closings(name: str) -> Set[Tuple[str, str]]:
    """The codes with their reasons in a document's table of close codes."""
    text = (REPOSITORY / "docs" / name).read_text(encoding="utf-8")
    table = text.partition("\n## Close codes")[2].partition("\n## ")[0]
    rows = [line.split("|")[1:3] for line in table.splitlines() if re.match(r"\| \d{4} \|", line)]
    return {(code.strip(), reason) for code, reasons in rows for reason in re.findall(r"`([^`]+)`", reasons)}


def test_clients_and_operators_read_the_same_close_codes() -> None:
    assert len(closings("operations.md")) >= 8
    assert closings("operations.md") <= closings("protocol.md")


DECLARING = "class|struct|enum|protocol|func|var|let|case|extension"


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md"])
def test_named_code_exists(name: str) -> None:
    """`Type.member` and `function` names of the tour and the map are found in the sources."""
    files = [path for path in swift_files() if not is_generated(path)]
    files += [REPOSITORY / "Package.swift", *tracked("clients/python/src/*.py")]
    everything = "\n".join(path.read_text(encoding="utf-8") for path in files)
    wrong = []
    for word in re.findall(r"`([^`\n]+)`", prose(REPOSITORY / name)):
        match = re.fullmatch(r"(?:([A-Z]\w+)\.)?([a-z]\w+)(?:\(\w*:?\))?|([A-Z][a-z]\w*[A-Z]\w*)", word)
        if not match or word.endswith(".swift"):
            continue
        # A plain lower-case word may be anything.
        if not (match.group(1) or match.group(3) or re.search(r"[a-z][A-Z]", word)):
            continue
        for part in (match.group(1), match.group(2), match.group(3)):
            if part and not re.search(rf"\b(?:{DECLARING}) {part}\b|\b{part}\b\s*[:(]|name: \"{part}\"", everything):
                wrong.append(f"{word}: the sources have no {part}")
    assert not wrong


def test_every_decision_is_in_the_index_and_has_its_parts() -> None:
    folder = REPOSITORY / "docs" / "decisions"
    records = sorted(folder.glob("[0-9][0-9][0-9][0-9]-*.md"))
    assert len(records) >= 10
    assert [int(path.name[:4]) for path in records] == list(range(1, len(records) + 1))
    index = (folder / "README.md").read_text(encoding="utf-8")
    for path in records:
        text = path.read_text(encoding="utf-8")
        title = text.splitlines()[0].removeprefix(f"# {int(path.name[:4])}. ")
        assert f"| [{int(path.name[:4])}]({path.name}) | {title} |" in index, path.name
        assert re.findall(r"^## (\w+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"], path.name
