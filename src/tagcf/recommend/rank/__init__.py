"""Many outcomes of showing an item to a user, their utility, and lists made of them.

``Ranker().fit(log, tags, effects)`` reads the log a few times in bounded memory;
``FittedRanker.outcomes(users, items)`` scores a thousand candidates in less than a millisecond.
"""
