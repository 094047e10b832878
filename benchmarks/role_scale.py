"""Speed and memory of roles and of the logic graph at the size of a platform.

Run ``python -m benchmarks.role_scale [ITEMS USERS]`` (default 1000000 100000); it writes
``benchmarks/results/role_scale.json``.

A simulated log of a million items and a hundred thousand users, a hundred impressions each: a few
roles and topics on an item, popularity by a power law. Each step in turn, one thread.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy import sparse

from benchmarks.measure import Measured, measure
from benchmarks.record import write_result
from tagcf.data.arrays import log_from_arrays, tags_from_arrays
from tagcf.data.workspace import Workspace
from tagcf.settings import Settings
from tagcf.tags.roles.graph import build_logic
from tagcf.tags.roles.store import read_logic, read_user_roles, write_logic, write_user_roles
from tagcf.tags.roles.users import user_roles
from tagcf.types import EventLog, IdMap, Tag, TagMatrix

ROWS = 100  # impressions of a user
TOPICS, ROLES = 300, 99


def carried(draw: np.random.Generator, items: int, tags: int, mean: float) -> sparse.csr_array:
    """(I, T) strengths of `mean` tags an item, some tags far commoner than others."""
    count = draw.poisson(mean, items)
    weight = 1 / np.arange(2, tags + 2)
    column = draw.choice(tags, count.sum(), p=weight / weight.sum())
    row = np.repeat(np.arange(items), count)
    at = np.unique(row * tags + column)
    strength = draw.uniform(0.5, 1.0, len(at)).astype(np.float32)
    return sparse.csr_array((strength, np.divmod(at, tags)), shape=(items, tags))


def platform(items: int, users: int) -> tuple[EventLog, TagMatrix, TagMatrix]:
    """Draw a log with its topics and roles."""
    draw = np.random.default_rng(0)
    ids = IdMap(pa.array([f"v{k}" for k in range(items)]))
    people = IdMap(pa.array([f"u{k}" for k in range(users)]))
    user = np.repeat(np.arange(users, dtype=np.int32), ROWS)
    item = np.minimum(items * draw.random(len(user)) ** 2, items - 1).astype(np.int32)
    click = (draw.random(len(user)) < 0.2).astype(float)
    order = draw.permutation(len(user))
    log = log_from_arrays(
        item=item[order],
        user=user[order],
        outcomes={"click": click},
        users=people,
        items=ids,
        simulated=True,
    )
    topics = [Tag(f"t{k}", f"题{k}", f"T{k}", "topic") for k in range(TOPICS)]
    roles = [Tag(f"r{k}", f"角{k}", f"R{k}", "role") for k in range(ROLES)]
    return (
        log,
        tags_from_arrays(ids, carried(draw, items, TOPICS, 4.0), topics),
        tags_from_arrays(ids, carried(draw, items, ROLES, 1.5), roles),
    )


def main() -> None:
    """Measure and write."""
    items, users = (int(one) for one in sys.argv[1:3]) if len(sys.argv) > 2 else (10**6, 10**5)
    small = platform(2000, 500)  # compiles
    build_logic(*small)
    log, topics, roles = platform(items, users)
    steps: dict[str, Measured] = {}
    steps["user_roles"] = measure(lambda: user_roles(log, roles))
    steps["build_logic"] = measure(lambda: build_logic(log, topics, roles))
    with tempfile.TemporaryDirectory() as folder:
        place = Workspace(Path(folder), Settings())
        steps["write_user_roles"] = measure(
            lambda: write_user_roles(place, steps["user_roles"].value)
        )
        write_logic(place, steps["build_logic"].value)
        steps["read_user_roles"] = measure(lambda: read_user_roles(place))
        steps["read_logic"] = measure(lambda: read_logic(place))
    result = {
        name: {"cpu_s": round(one.cpu, 2), "extra_mb": round(one.extra_mb)}
        for name, one in steps.items()
    }
    write_result(
        "role_scale",
        {"simulated": True, "items": items, "users": users, "rows": log.n_rows, "steps": result},
    )


if __name__ == "__main__":
    main()
