"""``tagcf tag --learn-student``: a small local tagger learns from the language model's tags."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

from tagcf.cli.json_text import echo_json
from tagcf.cli.tag_items import read_items
from tagcf.cli.talk import tell
from tagcf.data.workspace import Workspace
from tagcf.tags.llm_items import TAGS, read_table
from tagcf.tags.student.model import Student, train_student
from tagcf.tags.student.store import load_student, save_student
from tagcf.tags.tree.versions import tree_vocabulary
from tagcf.text import language, say, visible

SHOWN = 20  # tags in the printed table


def student_folder(workspace: Workspace) -> Path:
    """Where a workspace's student is."""
    return workspace.out / "model"


def student_of(workspace: Workspace) -> Student:
    """Load the student of a workspace.

    Raises
    ------
    OutputError
        There is none, or it belongs to another vocabulary.
    """
    command = f"tagcf tag {workspace.root} --learn-student"
    return load_student(student_folder(workspace), tree_vocabulary(workspace), command)


def learn_student(workspace: Workspace, as_json: bool) -> None:
    """Train on what ``--using llm`` wrote, and print how far student and teacher agree."""
    vocabulary = tree_vocabulary(workspace)
    told = read_table(workspace, TAGS, f"tagcf tag {workspace.root} --using llm")
    texts = read_items(workspace).joined()
    asked = told.select("item_id").unique(maintain_order=True).join(texts, on="item_id")
    rows = asked.select("item_id").with_row_index("row")
    tags = told.drop_nulls("tag").join(rows, on="item_id").select("row", "tag", "strength")
    teacher = str(told["source"].drop_nulls().first() or "llm").removeprefix("llm:")
    tell("tags.learning", texts=asked.height, teacher=teacher)
    student = train_student(
        asked["text"], tags, vocabulary, teacher=teacher, seed=workspace.settings.seed
    )
    path = save_student(student, student_folder(workspace))
    agreement = student.agreement
    if agreement.f1 <= agreement.f1_untrained:
        tell("tags.learned_nothing")
    if as_json:
        echo_json({"teacher": teacher, "agreement": asdict(agreement), "output": str(path)})
        return
    names = {tag.slug: tag.zh if language() == "zh" else tag.en for tag in vocabulary.tags}
    columns = ("tag", "items", "precision_of", "recall_of", "f1")
    grid = Grid(say(f"tags.columns_{columns[0]}"), box=None)
    for name in columns[1:]:
        grid.add_column(say(f"tags.columns_{name}"), justify="right")
    for one in agreement.tags[:SHOWN]:
        shares = (f"{value:.0%}" for value in (one.precision, one.recall, one.f1))
        grid.add_row(escape(visible(names.get(one.tag, one.tag))), f"{one.texts:,}", *shares)
    Console().print(grid)
    tell(
        "tags.learned",
        held=agreement.texts_held,
        f1=f"{agreement.f1:.2f}",
        untrained=f"{agreement.f1_untrained:.2f}",
        precision=f"{agreement.precision:.2f}",
        recall=f"{agreement.recall:.2f}",
        coverage=f"{agreement.coverage:.0%}",
    )
    tell("tags.written", path=path)
