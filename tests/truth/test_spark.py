"""The joint estimate on a real Spark cluster of two executors equals the one made here."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tagcf.data.parts import write_parts
from tagcf.data.simulate import Platform, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint
from tagcf.effects.spark import on_spark
from tagcf.effects.task import Question
from tagcf.types import EventBatch, EventLog

pytestmark = [
    pytest.mark.truth,
    # pyspark 4.3 says so of pandas, which only its other functions use.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture(scope="module")
def session():
    pyspark = pytest.importorskip("pyspark.sql", reason="pip install 'tagcf[spark]'")
    if shutil.which("java") is None:
        pytest.fail("Spark needs Java 17: apt-get install openjdk-17-jre-headless")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)
        session = (
            pyspark.SparkSession.builder.master("local-cluster[2,1,1024]")
            .config("spark.ui.enabled", "false")
            .config("spark.sql.execution.arrow.maxRecordsPerBatch", 20_000)
            .config("spark.sql.files.maxPartitionBytes", 200_000)
            .config("spark.executorEnv.OMP_NUM_THREADS", "1")
            .config("spark.executorEnv.PYTHONPATH", os.pathsep.join(sys.path))
            .getOrCreate()
        )
        yield session
        session.stop()


def unread() -> Iterator[EventBatch]:
    raise AssertionError("the driver read the log")


@pytest.mark.parametrize("strata", [False, True])
def test_same_effects_on_two_executors(
    session, tmp_path: Path, within_days: Callable[[EventLog], EventLog], strata: bool
) -> None:
    world = simulate(Platform(seed=3, users=200, items=300, tags=12))
    log = within_days(world.log) if strata else world.log
    write_parts(log, tmp_path / "parts", rows_per_part=log.n_rows // 3)
    question = Question(by=(("city_tier",),), min_items=30)
    here = estimate_effects(log, world.tags, Joint(), question)
    parted = on_spark(replace(log, batches=unread), session, str(tmp_path / "parts"))
    there = estimate_effects(parted, world.tags, Joint(), question)
    for one, other in zip(here.effects, there.effects, strict=True):
        assert (one.tag, one.outcome, one.segment) == (other.tag, other.outcome, other.segment)
        assert one.verdict == other.verdict
        if one.estimate is not None:
            np.testing.assert_allclose(
                [other.estimate, other.se], [one.estimate, one.se], rtol=1e-8
            )
    told = {(one.outcome, one.segment) for one in here.effects if one.estimate is not None}
    assert ("return_7d", None) in told
    assert any(segment for _, segment in told)
    executors = session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    assert len(executors) == 3  # the driver and two executors
