"""snownlp's sentiment of lines, run by the interpreter of .venv-bench.

Reads JSON on stdin ``{"fit": [[text, label], …], "judge": [text, …], "train": bool}``, labels
"positive", "negative" or "neutral", and prints ``{"fit": […], "judge": […], "retrained": […]}``:
its score of every text (0..1, chance of positive), by the model that it ships with, and by the same
kind of model trained on the positive and negative lines of "fit".
"""

from __future__ import annotations

import json
import sys

from snownlp import SnowNLP, sentiment
from snownlp.sentiment import Sentiment


def main() -> None:
    asked = json.load(sys.stdin)
    fit, judge = [text for text, _ in asked["fit"]], asked["judge"]
    found = {"fit": scores(fit), "judge": scores(judge)}
    own = Sentiment()
    own.train(
        [text for text, label in asked["fit"] if label == "negative"],
        [text for text, label in asked["fit"] if label == "positive"],
    )
    sentiment.classifier = own
    found["fit_retrained"], found["judge_retrained"] = scores(fit), scores(judge)
    json.dump(found, sys.stdout)


def scores(texts: list[str]) -> list[float]:
    return [float(SnowNLP(text).sentiments) if text.strip() else 0.5 for text in texts]


if __name__ == "__main__":
    main()
