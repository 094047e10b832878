"""Compiled: how well windows of a room's time are explained by a burst, and a quick online watch.

Counts are taken as negative binomial of a mean mu and size k (variance mu + mu²/k), so that
log NB(n; g mu) - log NB(n; mu) = n log g - (n + k) log((g mu + k) / (mu + k)).
"""

from __future__ import annotations

import numpy as np
from numba import njit

BEHAVIOURS = 10
NOTHING = np.float32(-1e3)  # a window that is not worth weighing


@njit(cache=True)
def _log_mean(logs):
    top = logs.max()
    total = 0.0
    for one in logs:
        total += np.exp(one - top)
    return top + np.log(total / logs.size)


@njit(cache=True)
def weigh(
    counts, usual, lengths, takes_part, sizes, rises, floods, wanders, priors, flood, score, rise
):
    """Weigh all windows of a stretch of T seconds that begin at any second.

    Parameters
    ----------
    counts, usual
        (T + 1, B) running sums of weighted counts and of what is usual.
    lengths
        (L,) of windows, seconds.
    takes_part
        (B,) chance that a behaviour rises in a highlight.
    sizes
        (B,) k of the negative binomial.
    rises, floods, wanders
        Factors that a highlight, a flood of one behaviour, and a room's own wandering may have;
        `priors` are the log chances of the wandering, `flood` is that of a flood against a
        highlight.
    score, rise
        (L, T) float32, written: log odds of a highlight against all else, and against wandering.
    """
    seconds, width = counts.shape[0] - 1, counts.shape[1]
    log_rises, log_floods, log_wanders = np.log(rises), np.log(floods), np.log(wanders)
    joint, calm, one = np.empty(rises.size), np.empty(wanders.size), np.empty(floods.size)
    for i in range(lengths.size):
        length = lengths[i]
        for t in range(seconds - length + 1):
            n, mu = 0.0, 1e-6
            for a in range(width):
                n += counts[t + length, a] - counts[t, a]
                mu += usual[t + length, a] - usual[t, a]
            if n < 1.3 * mu or n * np.log(n / mu) - n + mu < 2.0:
                continue
            joint[:] = 0.0
            calm[:] = priors
            best = -1e9
            for a in range(width):
                n = counts[t + length, a] - counts[t, a]
                mu = usual[t + length, a] - usual[t, a] + 1e-6
                k, p = sizes[a], takes_part[a]
                base = np.log(mu + k)
                for g in range(rises.size):
                    ratio = n * log_rises[g] - (n + k) * (np.log(rises[g] * mu + k) - base)
                    joint[g] += ratio + np.log(p) if ratio > 30 else np.log1p(p * np.expm1(ratio))
                for g in range(wanders.size):
                    calm[g] += n * log_wanders[g] - (n + k) * (np.log(wanders[g] * mu + k) - base)
                for g in range(floods.size):
                    one[g] = n * log_floods[g] - (n + k) * (np.log(floods[g] * mu + k) - base)
                best = max(best, _log_mean(one))
            burst = _log_mean(joint)
            quiet = _log_mean(calm) + np.log(calm.size)
            single = best + flood
            other = max(quiet, single)
            other += np.log(np.exp(quiet - other) + np.exp(single - other))
            score[i, t] = burst - other
            rise[i, t] = burst - quiet


@njit(cache=True, fastmath=True)
def watch(
    room, second, viewers, weighted, counted, rate, exposure, sums, levels, spans, settings, alarms
):
    """Let a stream of room-seconds run through Page's CUSUM of joint rises; returns alarms raised.

    State per room: `rate` (R, B) faded counts and `exposure` (R,) faded viewer-seconds, whose
    ratio is what is usual; `sums` (R, B) each behaviour's log likelihood ratio since `spans[:, 0]`,
    `levels` (R,) their sum, `spans[:, 1]` 1 while an alarm stands. `settings` are the assumed rise,
    fading per second, the level of an alarm, what must be left without the strongest behaviour, and
    the seconds after which a rise is the new usual. `counted` (B,) is 1 where a behaviour counts.
    `alarms` (n, 3) int64 takes room, first second of the rise, second of the alarm.
    """
    rise, fade, height, others, longest = settings
    log_rise = np.float32(np.log(rise))
    more = np.float32(rise - 1.0)
    raised = 0
    for i in range(room.size):
        r = room[i]
        there = np.float32(viewers[i])
        held = exposure[r]
        expected = more * there / (held + np.float32(60.0))
        level = np.float32(0.0)
        top = np.float32(0.0)
        for a in range(BEHAVIOURS):
            one = sums[r, a] + counted[a] * (log_rise * weighted[i, a] - expected * rate[r, a])
            sums[r, a] = one
            level += one
            top = max(top, one)
        if held < 1500.0 or level <= 0.0 or second[i] - spans[r, 0] > longest:
            if levels[r] != 0.0 or level != 0.0:
                for a in range(BEHAVIOURS):
                    sums[r, a] = 0.0
            level = np.float32(0.0)
            spans[r, 0] = second[i] + 1
            spans[r, 1] = 0
        elif level >= height and level - top >= others and spans[r, 1] == 0:
            spans[r, 1] = 1
            alarms[raised, 0], alarms[raised, 1], alarms[raised, 2] = r, spans[r, 0], second[i]
            raised += 1
        levels[r] = level
        if level < 0.5 * height:  # a burst is no part of what is usual
            exposure[r] = held * fade + there
            for a in range(BEHAVIOURS):
                rate[r, a] = rate[r, a] * fade + weighted[i, a]
    return raised
