"""TagCF: which tags cause which behaviour, for whom, and how sure.

The names below are the public ones; each is loaded on first use, so that ``import tagcf`` and
``tagcf --help`` stay quick.

::

    workspace = tagcf.open_workspace("my-platform")
    log = tagcf.read_log(workspace)
    found = tagcf.estimate_effects(log, tagcf.load_tags(workspace, log))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tagcf.counterfactual.answer import what_if as what_if
    from tagcf.counterfactual.model import fit_response as fit_response
    from tagcf.data.read import read_log as read_log
    from tagcf.data.simulate import Platform as Platform
    from tagcf.data.simulate import simulate as simulate
    from tagcf.data.workspace import open_workspace as open_workspace
    from tagcf.effects.estimate import estimate_effects as estimate_effects
    from tagcf.effects.learned_bias import learn_bias as learn_bias
    from tagcf.effects.methods import Joint as Joint
    from tagcf.effects.methods import Matching as Matching
    from tagcf.effects.methods import Naive as Naive
    from tagcf.effects.methods import ObservationalBias as ObservationalBias
    from tagcf.effects.methods import Robust as Robust
    from tagcf.effects.methods import TwoStage as TwoStage
    from tagcf.effects.task import Question as Question
    from tagcf.errors import TagCFError as TagCFError
    from tagcf.live.interest import InterestEngine as InterestEngine
    from tagcf.recommend.recommender import Recommender as Recommender
    from tagcf.tags.encode import encode_tags as encode_tags
    from tagcf.tags.matrix import load_tags as load_tags

__version__ = "0.1.0"

# Name -> module. In the order of the work.
_HOME = {
    "simulate": "tagcf.data.simulate",
    "Platform": "tagcf.data.simulate",
    "open_workspace": "tagcf.data.workspace",
    "read_log": "tagcf.data.read",
    "encode_tags": "tagcf.tags.encode",
    "load_tags": "tagcf.tags.matrix",
    "estimate_effects": "tagcf.effects.estimate",
    "Question": "tagcf.effects.task",
    "Joint": "tagcf.effects.methods",
    "Matching": "tagcf.effects.methods",
    "Robust": "tagcf.effects.methods",
    "TwoStage": "tagcf.effects.methods",
    "Naive": "tagcf.effects.methods",
    "ObservationalBias": "tagcf.effects.methods",
    "learn_bias": "tagcf.effects.learned_bias",
    "fit_response": "tagcf.counterfactual.model",
    "what_if": "tagcf.counterfactual.answer",
    "Recommender": "tagcf.recommend.recommender",
    "InterestEngine": "tagcf.live.interest",
    "TagCFError": "tagcf.errors",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        msg = f"module 'tagcf' has no attribute {name!r}"
        raise AttributeError(msg)
    found: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = found  # the next access is direct
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
