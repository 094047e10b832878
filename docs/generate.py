"""Write the generated parts of the documentation again, or check that they are up to date.

``python docs/generate.py`` writes; ``--check`` prints what is out of date and exits 1;
``--run`` also runs the demo and README's Python lines for their real output (a minute).

| part | made from |
|---|---|
| docs/reference/settings.md | the settings model and the text catalogue |
| docs/reference/verbs.md, between the markers | ``--help`` of every verb |
| docs/reference/vocabulary.md | the vocabulary |
| README: upworthy | benchmarks/results/upworthy.json |
| README: demo, python (``--run``) | ``tagcf demo``, the Python lines above the output |
"""

from __future__ import annotations

import argparse
import contextlib
import difflib
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import BaseModel

from tagcf.cli import VERBS, tagcf
from tagcf.data.settings_file import describe_setting
from tagcf.settings import OutcomeSettings, Settings
from tagcf.tags.reference import render as render_vocabulary
from tagcf.text import Language, choose_language

ROOT = Path(__file__).resolve().parents[1]
READMES: dict[Language, Path] = {"en": ROOT / "README.md", "zh": ROOT / "README.zh-CN.md"}
