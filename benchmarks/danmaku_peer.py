"""snownlp's sentiment of lines, run by the interpreter of .venv-bench.

Reads JSON on stdin ``{"fit": [[text, label], …], "judge": [text, …]}``, labels "positive",
"negative" or "neutral". Prints its score of every text (0..1, chance of positive): "fit" and
"judge" by the model that it ships with, "fit_retrained" and "judge_retrained" by the same kind of
model trained on the positive and negative lines of "fit".
"""

from __future__ import annotations

import json
import sys
from functools import cache

from snownlp import SnowNLP, sentiment
from snownlp.sentiment import Sentiment


def main() -> None:
    asked = json.load(sys.stdin)
    as_shipped = sentiment.classifier.handle
    words = cache(lambda text: tuple(as_shipped(text)))  # each text is cut into words once
    Sentiment.handle = lambda _self, text: list(words(text))
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
    return [float(SnowNLP(text).sentiments) for text in texts]


if __name__ == "__main__":
    main()
