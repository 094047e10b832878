"""What others do with the same media; run by `benchmarks.media` in processes of their own.

``python -m benchmarks.media_peers '{"task": "scenedetect", "path": …}'`` prints one line of JSON.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

from benchmarks.measure import measure

REPEATS = 3


def opencv(path: str) -> dict[str, Any]:
    """Decode every frame with OpenCV, one thread (OPENCV_FFMPEG_THREADS)."""
    import cv2

    def decode() -> int:
        video, frames = cv2.VideoCapture(path, cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1]), 0
        while video.read()[0]:
            frames += 1
        return frames

    done = measure(decode, REPEATS)
    return {"frames": done.value, "cpu": done.cpu, "version": version("opencv-python-headless")}


def scenedetect(path: str) -> dict[str, Any]:
    """Find cuts with PySceneDetect's adaptive detector, as its documentation calls it."""
    import cv2
    from scenedetect import AdaptiveDetector, detect

    cv2.setNumThreads(1)
    done = measure(lambda: detect(path, AdaptiveDetector()), REPEATS)
    cuts = [start.seconds for start, _ in done.value[1:]]
    return {"cuts": cuts, "cpu": done.cpu, "version": version("scenedetect")}


def rapidocr(path: str) -> dict[str, Any]:
    """Read the words of one picture with RapidOCR as it comes, held to one thread."""
    import cv2
    from rapidocr import RapidOCR

    one = {f"EngineConfig.onnxruntime.{kind}_op_num_threads": 1 for kind in ("intra", "inter")}
    read, picture = RapidOCR(params={**one, "Global.log_level": "critical"}), cv2.imread(path)
    read(picture)
    done = measure(lambda: read(picture), REPEATS)
    return {"words": list(done.value.txts or ()), "cpu": done.cpu, "version": version("rapidocr")}


TASKS = {"opencv": opencv, "scenedetect": scenedetect, "rapidocr": rapidocr}


def main() -> None:
    """Run the task of the command line."""
    order = json.loads(sys.argv[1])
    print(json.dumps(TASKS[order["task"]](order["path"])))


if __name__ == "__main__":
    main()
