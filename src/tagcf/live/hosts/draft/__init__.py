"""The next show, drafted from what worked: rundown, titles, talking points (直播内容生成).

::

    themes    what a host's segments were about, and how each theme did
    facts     the facts that a draft may use, numbered
    plan      order and length of the segments, when to show which product
    words     the draft in words, from the text catalogue
    claims    what a sentence may not say unless the facts do
    asked     wording by a language model, let through sentence by sentence
"""

from tagcf.live.hosts.draft.plan import draft_show
from tagcf.live.hosts.draft.words import Draft, Fact, Point, Slot

__all__ = ["Draft", "Fact", "Point", "Slot", "draft_show"]
