"""Live rooms as they run: highlights, losses, purchases, the moment to reach out.

::

    seconds      events to counts per room and second, weighted so that a few cannot look like many
    segments     what is on, about what, with which product
    highlights   bursts of most behaviours against the room's own usual rates
    dropoff      half minutes in which viewers left beyond the room's habit
    purchase     the chance that a user buys in a room within minutes
    outreach     whether to reach out now, later, or not at all
    workspace    the live tables of a workspace
"""
