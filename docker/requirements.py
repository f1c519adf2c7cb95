"""Prints what p2pchat needs at run time, as pip reads it: images install that in a layer of its own.

requirements.py FILE     (setup.cfg)
"""

import configparser
import sys

settings = configparser.ConfigParser()
settings.read(sys.argv[1], encoding="utf-8")
print(settings["options"]["install_requires"].strip())
