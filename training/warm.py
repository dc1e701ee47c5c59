"""`python -m training.warm`: compiles what making a sample and training on it need, so that neither the first demo nor a test waits for it."""

from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

from data.contract import DataError
from data.dataset import read_dataset
from data.funnel import Funnel
from data.partitioning_keys import warm as warm_partitioning
from data.sample import write_sample
from training.run import train

LEADS = 40
"""Far too few to learn from: the run ends where the models would begin, after every kernel on its way."""


def warm() -> None:
    """A sample of LEADS leads, its truth, its features and its labels: a second where the cache is warm, half a minute where it is not."""
    warm_partitioning()
    funnel = Funnel()
    with TemporaryDirectory() as folder:
        write_sample(Path(folder) / "world", LEADS)
        dataset, _ = read_dataset(Path(folder) / "world", funnel=funnel, mapping=None)
    with suppress(DataError):
        train(dataset, funnel, dataset.data_end)


if __name__ == "__main__":
    warm()
