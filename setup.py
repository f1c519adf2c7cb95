"""Lets pip and old tools build p2pchat; everything is declared in setup.cfg."""

from setuptools import setup

setup()
