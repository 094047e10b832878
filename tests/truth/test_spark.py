"""The joint estimate on a real Spark cluster of two executors equals the one made here."""

import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from tagcf.data.parts import write_parts
from tagcf.data.simulate import Platform, simulate
from tagcf.effects.estimate import estimate_effects
from tagcf.effects.methods import Joint
from tagcf.effects.spark import on_spark

pytestmark = [
    pytest.mark.truth,
    # pyspark 4.3 says so of pandas, which only its other functions use.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch):
    pyspark = pytest.importorskip("pyspark.sql", reason="pip install 'tagcf[spark]'")
    if shutil.which("java") is None:
        pytest.fail("Spark needs Java 17: apt-get install openjdk-17-jre-headless")
    monkeypatch.setenv("PYSPARK_PYTHON", sys.executable)
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


def test_same_effects_on_two_executors(session, tmp_path: Path) -> None:
    world = simulate(Platform(seed=3))
    write_parts(world.log, tmp_path / "parts", rows_per_part=8_000)
    here = estimate_effects(world.log, world.tags, Joint())
    there = estimate_effects(
        on_spark(world.log, session, str(tmp_path / "parts")), world.tags, Joint()
    )
    logged = {outcome.name for outcome in world.log.outcomes}
    assert len(here.effects) == len(there.effects)
    for one, other in zip(here.effects, there.effects, strict=True):
        assert (one.tag, one.outcome, one.verdict) == (other.tag, other.outcome, other.verdict)
        if one.outcome in logged and one.estimate is not None:
            np.testing.assert_allclose(
                [other.estimate, other.se], [one.estimate, one.se], rtol=1e-8
            )
    executors = session.sparkContext._jsc.sc().statusTracker().getExecutorInfos()
    assert len(executors) == 3  # the driver and two executors
