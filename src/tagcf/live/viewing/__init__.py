"""Watching a room with a user in mind: a path through it, its resonance, a companion.

::

    parts       what there is to see: parts that were, are on, are announced
    guide       parts, highlights and visits of all rooms, up to a time
    path        what to see, in which order, within the time there is
    resonance   whether the audience's emotion follows the content's
    companion   a conversation over the user's own state
"""
