"""What the converted suite imports in place of a module that meant something else in Python 2."""

import binascii as standard_binascii
import codecs
from pathlib import Path


def as_bytes(data):
    """A Python 2 string: text of one character for each byte."""
    return data.encode("latin-1") if isinstance(data, str) else data


class binascii:  # noqa: N801 - stands for the module
    @staticmethod
    def b2a_hex(data):
        return standard_binascii.b2a_hex(as_bytes(data)).decode("ascii")

    hexlify = b2a_hex


class pkg_resources:  # noqa: N801 - stands for the module
    @staticmethod
    def resource_filename(package, name):
        return str(Path(__file__).parent / name)


class Utf8Validator:
    """The validator's interface on the standard decoder, which is strict and incremental."""

    def __init__(self):
        self.reset()

    def reset(self):
        self.decoder = codecs.getincrementaldecoder("utf-8")("strict")
        self.total = 0

    def validate(self, data):
        """(valid so far, ends between characters, index of the first fault, the same in the whole text)"""
        try:
            self.decoder.decode(as_bytes(data))
        except UnicodeDecodeError as fault:
            index = max(0, fault.start)
            return False, False, index, self.total + index
        self.total += len(data)
        return True, self.decoder.getstate()[0] == b"", len(data), self.total


class ssl:  # noqa: N801 - stands for the module
    @staticmethod
    def ClientContextFactory():  # noqa: N802 - the caller's name for it
        return None
