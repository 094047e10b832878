"""The viewing companion: a conversation over the user's own state, zh and en.

::

    wishes     what can be asked, as types
    spans      numbers and times as people write them
    tag_words  tags in a user's own words: certain, or asked about
    grammar    a line to wishes (grammar.toml)
    pending    a question asked back, and its answer
    record     what was done for a user, so that it can be taken back
    memory     interests that can be changed, forgotten in part, and brought back
    lines      sentences as facts; the catalogue puts them into words
    answers    state to sentences
    changes    requests that change something
    assistant  what a language model may do
    asked      a language model that reads and rephrases, checked
    talk       the conversation
"""

from tagcf.live.viewing.companion.memory import Memory, Past
from tagcf.live.viewing.companion.record import Record
from tagcf.live.viewing.companion.talk import Companion, Reply
from tagcf.live.viewing.companion.wishes import Unclear, Wish

__all__ = ["Companion", "Memory", "Past", "Record", "Reply", "Unclear", "Wish"]
