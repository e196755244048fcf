"""Builds tally for the interpreter that runs this: amphis3.14, amphis3.14t, or CPython 3.14."""
from setuptools import Extension, setup

setup(name="tally", version="1.0", ext_modules=[Extension("tally", ["tally.c"])])
