"""What the answers of this package stand on: the rows, controls and tags of the joint estimator."""

from __future__ import annotations

from dataclasses import dataclass

from tagcf.effects.estimate import check_names, on_items_of, split_by_reach
from tagcf.effects.heterogeneity.groups import merge_groups
from tagcf.effects.joint.effects import plan
from tagcf.effects.linear.design import Design, Survey
from tagcf.effects.methods import Joint
from tagcf.effects.task import Question, Task
from tagcf.errors import EstimationError
from tagcf.types import EventLog, Mask, TagMatrix


@dataclass(frozen=True, slots=True)
class Ground:
    """A task with its plan."""

    task: Task
    using: Joint
    seen: Survey
    design: Design
    columns: Mask  # (T,) tags held against one another
    shown: Mask  # (I,) items among the rows used

    def weight_groups(self) -> list[tuple[int, ...]]:
        """Wanted logged outcomes, those that share their weights together."""
        logged = set(self.task.logged())
        groups = [tuple(at for at in one if at in logged) for one in self.seen.weight_groups]
        return [one for one in groups if one]


def stand(
    log: EventLog, tags: TagMatrix, question: Question | None = None, using: Joint | None = None
) -> Ground:
    """Plan rows and controls as `estimate_effects` does.

    Raises
    ------
    UnknownNameError
        An outcome that the log does not have.
    EstimationError
        No rows, or no tag on enough items.
    """
    question, using = question or Question(), using or Joint()
    check_names(log, question.outcomes, ())
    if log.n_rows == 0:
        raise EstimationError("error.no_rows", why="0")
    tags, question, _ = merge_groups(on_items_of(log, tags), question)
    reached, _ = split_by_reach(tags, question)
    if not reached.tags:
        raise EstimationError("error.no_tags", path="DIR")
    task = Task(log, reached, reached.carried(question.threshold).toarray().astype(float), question)
    seen, design = plan(task, using)
    shown = task.shown(design)
    return Ground(task, using, seen, design, task.columns(task.carried[shown].sum(axis=0)), shown)
