"""Emotional resonance: whether the audience's emotion follows the content's, and what is to come.

::

    series    content and audience as emotions over time, room by room
    course    what a show's own course gives either side, taken out
    follow    lagged association; chances from circular shifts
    measures  how strong and how late, with intervals
    parting   moments at which audience and content part
    forecast  the audience's emotion to expect of a segment before it runs
"""

from tagcf.live.viewing.resonance.follow import Follows, Resonance, Shifts, resonance
from tagcf.live.viewing.resonance.forecast import EmotionForecast, Expected, fit_forecast
from tagcf.live.viewing.resonance.measures import EmotionLink
from tagcf.live.viewing.resonance.parting import Parting, find_partings
from tagcf.live.viewing.resonance.series import EmotionSeries, emotion_series

__all__ = [
    "EmotionForecast",
    "EmotionLink",
    "EmotionSeries",
    "Expected",
    "Follows",
    "Parting",
    "Resonance",
    "Shifts",
    "emotion_series",
    "find_partings",
    "fit_forecast",
    "resonance",
]
