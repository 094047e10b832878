"""A platform with known tag effects, written as a normal workspace plus its truth.

The equations; u is a user in city tier s(u), i an item of author a(i), t a tag, k an outcome.
The longer story, with the reasons, is in docs/explanation/simulated-platform.md.

Tags
    logit P(D_it = 1) = b_t + ℓ_t·z_i + γ_t·q_a(i) + 1.6·Σ_parents D_ip.
    z: six topics of an item, half of their variance its author's. q: author quality,
    standard normal. γ ≠ 0 for a third of the tags; γ = ℓ = 0 for the instrument's tag.
Length
    log d_i = log 18 + stretch·D_i + N(0, .5²), for a sixth of the tags.
Outcomes
    λ_uik = Σ_t θ_{t,s(u),k}(D_it - share_t) + ω_k·q_a(i) + item_ik + user_uk
    + ρ_k·(tastes_u·z_i) + length_k(d_i) + .12·cos(2π(hour - 21)/24);
    tastes average to zero within each tier. Mean outcome = link_k(λ): logistic for opening,
    finishing and approval; softplus for seconds (gamma noise) and depth (Poisson); or linear.
Effects
    θ_{t,s} = θ_t(1 + δ_{t,s}), Σ_users δ = 0; θ = 0 for half of the tags, everywhere.
Exposure
    With chance `random_share` a uniform item, else from a softmax over all items of
    popularity_i (tied to q) + .9·tastes_u·z_i + bucket_u·D_i,instrument.
Return
    P(u is there next week) = clip(base_u + Σ over this week's impressions of
    (Σ_t θ^ret_{t,s(u)}·(D_it - share_t) + .003·(q + own quality) - usual_u), .02, .98),
    where usual_u is the mean of the same in u's own feed. An absent user comes back with
    chance .25 a week; whoever is there has at least one impression in the week.
"""

from tagcf.data.simulate.platform import Platform
from tagcf.data.simulate.world import World, simulate
from tagcf.data.simulate.write import write_world

__all__ = ["Platform", "World", "simulate", "write_world"]
