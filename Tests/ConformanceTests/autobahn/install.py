#!/usr/bin/env python3
"""Installs the Autobahn test suite into .tools/autobahn, from PyPI. Nothing is done when it is there."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
TOOLS = ROOT / ".tools" / "autobahn"
STAMP = TOOLS / "installed"


def wstest():
    """The command that runs the suite."""
    return [str(TOOLS / "environment" / "bin" / "wstest")]
