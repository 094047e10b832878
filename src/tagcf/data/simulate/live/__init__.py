"""A simulated live platform whose interests, highlights and purchases are known.

The equations; u is a user of type κ(u), g a segment of room r, t a tag, s a scene. The longer
story is in docs/explanation/simulated-live.md. Times run on an inner clock that stands still
while the platform is closed.

Tastes
    τ_ut = .8·z_u·v_t + .5·z_u,s(t)·w_t + .4·N(0, 1): shared by all scenes, of the scene, own.
    Friends have similar z. Three users in ten have never been in one of the scenes before.
Interest
    One tag at a time, for 8 to 70 minutes (log-normal, median 24). The next one, j after i:
    log weight = popularity_j + 1.4·τ_uj + 2.4·habit_κ(u)[i, j] + 1.8·logic[i, j]
    + 1.8·cos(π(time of day - peak_s(j))) + 2.5·share of friends who are into j, half-life 20 min
    + .7·(j was before i) + 4·(best strength of j on air).
    An interest of which nothing is on air is dropped with chance .5 a minute.
Watching
    match = strength_g,i + .16·tanh(τ_u·g) + .08·trust_ur + .05·skill_r, where strength is 1 for
    the main tag of a segment and .5 for its second one.
    What is shown is opened with log-odds -3.3 + 6.8·match; a room is left at a rate of
    exp(-4.9·match)/9 a second, 2.5 times that in the last minutes of a session.
    Shown: 76 % by the user's own search, 10 % by taste, 6 % by popularity, 8 % at random.
Interactions
    Poisson, rate_a·exp(2.2·(match - .9))·habits of u·R_ra(t)·B_ra(t). R wanders: slow waves, and
    noise with a memory. B is what bursts do: a highlight lifts five to seven of the seven kinds
    for 20 to 60 s; a lottery lifts danmaku alone. Bots and one giver's run of gifts add acts of
    few accounts, a raid adds guests.
Purchases
    In every minute of watching while a product p is on the table,
    logit P = -8.9 + 2.2·want_up + .35·log(1 + minutes in the room) + .4·min(clicks on p, 4)
    + .9·min(buying danmaku in 5 min, 2) - .9·log(price/budget) + .4·min(bought before, 3)
    + .45·trust + .9·offer + .25·skill + buyer_u; nobody buys a product twice.
Disorder
    2 % of the events arrive 30 to 600 s late, .5 % twice.
"""

from tagcf.data.simulate.live.platform import LivePlatform
from tagcf.data.simulate.live.session import LiveSession, Responses
from tagcf.data.simulate.live.world import LiveWorld, simulate_live
from tagcf.data.simulate.live.write import write_live

__all__ = ["LivePlatform", "LiveSession", "LiveWorld", "Responses", "simulate_live", "write_live"]
