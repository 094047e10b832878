"""What the stages hand to one another: frozen dataclasses, nothing else.

``EventLog`` → ``TagMatrix`` → ``TagEffects`` → ``WhatIf``. Ids are dense integers
inside; an ``IdMap`` turns them back into the platform's own. A number never travels
without its interval and its origin.

Symbols in the shapes below: ``n`` rows of a batch, ``U`` users, ``I`` items, ``T`` tags,
``K`` logged outcomes, ``p`` covariates, ``S`` segment columns, ``q`` instruments,
``C`` cluster axes.
"""

from tagcf.types.arrays import Codes, Floats, Mask
from tagcf.types.effects import Effect, Estimand, JointFit, Method, Rung, TagEffects, Verdict
from tagcf.types.lists import (
    Acted,
    Change,
    Explanation,
    Fidelity,
    HistoryReason,
    Named,
    RankedItem,
    Ranking,
    ScoreTerm,
    Steered,
    TagReason,
    TagScore,
    TagShare,
    UserRole,
    WhyNot,
)
from tagcf.types.log import (
    BadRows,
    ClusterAxis,
    Covariate,
    EventBatch,
    EventLog,
    IdMap,
    Instrument,
    Outcome,
    OutcomeKind,
    ReadReport,
    Segment,
)
from tagcf.types.reason import Reason
from tagcf.types.tags import Tag, TagMatrix
from tagcf.types.whatif import Contribution, WhatIf

__all__ = [
    "Acted",
    "BadRows",
    "Change",
    "ClusterAxis",
    "Codes",
    "Contribution",
    "Covariate",
    "Effect",
    "Estimand",
    "EventBatch",
    "EventLog",
    "Explanation",
    "Fidelity",
    "Floats",
    "HistoryReason",
    "IdMap",
    "Instrument",
    "JointFit",
    "Mask",
    "Method",
    "Named",
    "Outcome",
    "OutcomeKind",
    "RankedItem",
    "Ranking",
    "ReadReport",
    "Reason",
    "Rung",
    "ScoreTerm",
    "Segment",
    "Steered",
    "Tag",
    "TagEffects",
    "TagMatrix",
    "TagReason",
    "TagScore",
    "TagShare",
    "UserRole",
    "Verdict",
    "WhatIf",
    "WhyNot",
]
