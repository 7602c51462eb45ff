#!/usr/bin/env python3
"""Installs the Autobahn test suite into .tools/autobahn, from PyPI, for Python 3. Nothing is done when it is there.

The suite (`autobahntestsuite`, https://github.com/crossbario/autobahn-testsuite, Apache-2.0) is written for Python 2.7, which
Debian 12 and PyPI no longer have. So its test cases and its fuzzing client are installed as published, and converted here,
with fissix (the maintained twin of the standard library's lib2to3). No copy of the suite is kept in this project.

What a converter cannot know is that a Python 2 string is bytes. It stays a string here: one character for one byte, as
Latin-1 has them; suite.py turns it into bytes at the border to the network. That is why the sources are read as Latin-1
(so that UTF-8 in a literal stays the bytes it was), and why there are SUBSTITUTIONS, each for one construct of Python 2.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
TOOLS = ROOT / ".tools" / "autobahn"
STAMP = TOOLS / "installed"
PYTHON = TOOLS / "environment" / "bin" / "python"
SUITE = "autobahntestsuite==25.10.1"
# The suite asks for just this Autobahn; it misbehaves on demand, which later versions no longer do.
LIBRARIES = ("autobahn==0.10.9", "txaio==2.1.0", "Twisted==24.11.0", "setuptools==75.8.0", "fissix==24.4.24")
MODULES = ("caseset.py", "fuzzing.py", "case/*.py")
FIXERS = ("dict", "except", "has_key", "import", "print", "unicode", "xrange")

# (module, Python 2, Python 3): each must be found.
SUBSTITUTIONS = (
    # The standard modules' functions for strings of bytes, and files of the package: see compatibility.py.
    ("*", "import binascii\n", "from autobahntestsuite.compatibility import binascii\n"),
    ("case/case12_x_x.py", "import copy, os, pkg_resources, hashlib, binascii", "import copy, os, hashlib\n"
     "from autobahntestsuite.compatibility import binascii, pkg_resources"),
    ("fuzzing.py", "import os, json, binascii, time, textwrap, pkg_resources", "import os, json, time, textwrap\n"
     "from autobahntestsuite.compatibility import binascii"),
    ("case/case6_x_x.py", "from autobahn.websocket.utf8validator import Utf8Validator",
     "from autobahntestsuite.compatibility import Utf8Validator"),
    # A case that the suite itself does not run.
    ("case/__init__.py", "from case9_9_1 import *\n", ""),
    # No wss:// here, hence no OpenSSL.
    ("fuzzing.py", "from twisted.internet import reactor, ssl", "from twisted.internet import reactor\n"
     "from autobahntestsuite.compatibility import ssl"),
    # A base class before its own base class is an error in Python 3.
    ("*", "(object, Case, )", "(Case, )"),
    # Whole-number division.
    ("case/case10_1_1.py", "len(self.payload) / self.p", "len(self.payload) // self.p"),
    # Pickles are compared, and Python 3 pickles equal lists differently when they share strings.
    ("case/case.py", "pickle.dumps(obj1) == pickle.dumps(obj2)", "obj1 == obj2"),
)


def convert(source, destination):
    """Writes the modules for Python 3. Runs in the environment, since it needs fissix."""
    from fissix.refactor import RefactoringTool

    tool = RefactoringTool([f"fissix.fixes.fix_{name}" for name in FIXERS])
    unused = set(SUBSTITUTIONS)
    for path in sorted(path for pattern in MODULES for path in source.glob(pattern)):
        name = path.relative_to(source).as_posix()
        text = path.read_bytes().decode("latin-1").replace("\r\n", "\n")
        if not text.endswith("\n"):
            text += "\n"
        for substitution in SUBSTITUTIONS:
            module, old, new = substitution
            if module in ("*", name) and old in text:
                text = text.replace(old, new)
                unused.discard(substitution)
        converted = destination / name
        converted.parent.mkdir(parents=True, exist_ok=True)
        # The path tells the fixer of imports which of them are neighbours.
        converted.write_text(str(tool.refactor_string(text, str(path))), encoding="utf-8")
    assert not unused, f"not found in {SUITE}: {unused}"
    shutil.copytree(source / "testdata", destination / "testdata")
    shutil.copy(HERE / "compatibility.py", destination)
    # Style sheets of the HTML reports, which suite.py does not write.
    names = ("CSS_COMMON", "CSS_DETAIL_REPORT", "CSS_MASTER_REPORT", "JS_MASTER_REPORT")
    (destination / "report.py").write_text("".join(f"{name} = ''\n" for name in names))
    (destination / "__init__.py").write_text(f"version = {SUITE.partition('==')[2]!r}\n")


def wanted():
    """What the installation depends on: anything of it changes, it is made anew."""
    text = f"{sys.version_info[:2]} {SUITE} {LIBRARIES}".encode()
    return hashlib.sha256(text + Path(__file__).read_bytes() + (HERE / "compatibility.py").read_bytes()).hexdigest()


def install():
    if STAMP.exists() and STAMP.read_text() == wanted() and PYTHON.exists():
        return
    print(f"autobahn: installing {SUITE} into {TOOLS.relative_to(ROOT)}")
    shutil.rmtree(TOOLS, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(TOOLS / "environment")], check=True)
    pip = [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--use-pep517"]
    subprocess.run([*pip, *LIBRARIES], check=True)
    # Without its dependencies: they are old ones that only Python 2.7 has.
    subprocess.run([*pip, "--no-deps", SUITE], check=True)
    subprocess.run([str(PYTHON), __file__, "--convert"], check=True)
    STAMP.write_text(wanted())


def fuzzing_client():
    """The command that runs the cases of a specification file."""
    return [str(PYTHON), str(HERE / "suite.py")]


if __name__ == "__main__":
    if "--convert" in sys.argv:
        convert(Path(sysconfig.get_path("purelib")) / "autobahntestsuite", TOOLS / "suite" / "autobahntestsuite")
    else:
        install()
