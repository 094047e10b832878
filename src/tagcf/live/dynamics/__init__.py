"""Interests in motion.

::

    evidence   what each kind of event says about what its user wants now
    steps      events and content as beliefs read them
    fitting    evidence learned from labelled streams
    switches   beliefs in what users want now, and when it moves on
"""
