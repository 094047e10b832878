"""RecTools' SASRec in a process of its own, asked line by line; run by `sasrec`, never imported.

RecTools 0.19 wants numpy below 2 on Python 3.11 and 3.12, so that it lives in another
environment. Only numpy, pandas, torch and rectools are imported here. Each line on stdin is a
JSON order with a key ``do``; each answer is a line of JSON on stdout with the CPU seconds spent.

- ``start``: settings, ``indptr`` and ``item`` (paths of .npy files) of the training sequences;
- ``train``: so many more ``epochs``;
- ``keep`` and ``restore``: the weights as they are, and back to them;
- ``embed``: sequences in, ``users`` and ``items`` out, whose product is RecTools' score.
"""

import copy
import json
import logging
import os
import sys
import time
import warnings
from typing import Any

import numpy as np

warnings.filterwarnings("ignore")
logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)

Order = dict[str, Any]


class Trainee:
    """The model between orders."""

    def __init__(self, order: Order) -> None:
        import pandas as pd
        import torch
        from pytorch_lightning import seed_everything
        from rectools import Columns
        from rectools.dataset import Dataset
        from rectools.models import SASRecModel

        torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
        seed_everything(order["seed"])
        self.torch = torch
        indptr, item = np.load(order["indptr"]), np.load(order["item"])
        user = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
        # Times only need to rise within a user: seconds since 2000, by position.
        position = np.arange(item.size) - indptr[user]
        times = pd.Timestamp("2000-01-01") + pd.to_timedelta(position, unit="s")
        columns = {Columns.User: user, Columns.Item: item, Columns.Weight: 1.0}
        self.dataset = Dataset.construct(pd.DataFrame({**columns, Columns.Datetime: times}))
        self.model = SASRecModel(
            n_blocks=order["blocks"],
            n_heads=order["heads"],
            n_factors=order["factors"],
            dropout_rate=order["dropout"],
            session_max_len=order["length"],
            lr=order["rate"],
            batch_size=order["batch"],
            loss=order["loss"],
            n_negatives=order["negatives"],
        )
        self.kept: Order | None = None

    def train(self, order: Order) -> None:
        """Train on."""
        epochs = order["epochs"]
        self.model.fit_partial(self.dataset, min_epochs=epochs, max_epochs=epochs)

    def keep(self, _: Order) -> None:
        """Remember the weights."""
        self.kept = copy.deepcopy(self.model.torch_model.state_dict())

    def restore(self, _: Order) -> None:
        """Go back to the weights remembered."""
        self.model.torch_model.load_state_dict(self.kept)

    def embed(self, order: Order) -> None:
        """Write embeddings of histories and items; rows of unknown items are NaN."""
        indptr, item = np.load(order["indptr"]), np.load(order["item"])
        known = self.model.data_preparator.item_id_map.to_internal
        own_id = np.zeros(order["n_items"], np.int64)  # 0 is padding: items unseen in training
        external = np.array([one for one in known.index if not isinstance(one, str)], np.int64)
        own_id[external] = known.loc[external].to_numpy()
        net, length = self.model.torch_model, self.model.session_max_len
        net.eval()
        users = np.zeros((len(indptr) - 1, self.model.n_factors), np.float32)
        with self.torch.no_grad():
            table = net.item_model.get_all_embeddings()
            for first in range(0, len(users), 256):
                stop = min(first + 256, len(users))
                rows = np.zeros((stop - first, length), np.int64)
                for row in range(first, stop):
                    had = own_id[item[indptr[row] : indptr[row + 1]]]
                    had = had[had > 0][-length:]
                    rows[row - first, length - had.size :] = had
                session = {"x": self.torch.from_numpy(rows)}
                last = net.encode_sessions(session, table)[:, -1, :]
                users[first:stop] = net.similarity_module.session_tower_forward(last).numpy()
                users[first:stop][~rows.any(1)] = 0.0
            of_items = net.similarity_module.item_tower_forward(table).numpy()
        items = of_items[own_id]
        items[own_id == 0] = np.nan
        np.save(order["users"], users)
        np.save(order["items"], items)


def main() -> None:
    """Answer orders until stdin ends."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print is no answer
    trainee: Trainee | None = None
    for line in sys.stdin:
        order = json.loads(line)
        started = time.process_time()
        if order["do"] == "start":
            trainee = Trainee(order)
        else:
            getattr(trainee, order["do"])(order)
        answers.write(json.dumps({"cpu_s": time.process_time() - started}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
