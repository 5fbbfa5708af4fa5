"""Data sets to train on: a fixed split, a third of the examples held out."""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from chainrule.module import Array
from chainrule.specs import InputError
from derive import Network

Name = Literal["digits"]
DType = Literal["float32", "float64"]


@dataclass(frozen=True)
class DataSet:
    """Examples as rows with features in [0, 1], and their labels; the held-out third is never trained on."""

    name: str
    classes: int
    X: Array
    y: Array
    held_out_X: Array
    held_out_y: Array

    @property
    def features(self) -> int:
        return self.X.shape[1]


def digits(dtype: DType = "float64") -> DataSet:
    """1797 handwritten digits of 8 x 8 pixels, bundled with scikit-learn (Alpaydin and Kaynak 1998). Every third is held out.

    Raises InputError when scikit-learn is not installed.
    """
    try:
        bundled: Any = importlib.import_module("sklearn.datasets").load_digits()
    except ModuleNotFoundError as error:
        raise InputError('the digits come with scikit-learn, which is not installed: python -m pip install "scikit-learn>=1.5"') from error
    pixels = np.ascontiguousarray(bundled.data / 16.0, dtype=dtype)
    labels = np.ascontiguousarray(bundled.target, dtype=np.int64)
    held_out = np.arange(len(labels)) % 3 == 2
    return DataSet("digits", 10, pixels[~held_out], labels[~held_out], pixels[held_out], labels[held_out])


DATA_SETS = {"digits": digits}


def check_fit(network: Network, data: DataSet) -> None:
    """Raise InputError unless the network takes the data's features and its loss takes the data's labels."""
    if network.inputs != data.features:
        raise InputError(f"{network.name}: inputs: found {network.inputs}; right for {data.name} would be {data.features}")
    takes = network.loss.targets
    if takes != "labels":
        raise InputError(
            f"{network.name}: loss: found {network.loss.kind}, which takes {takes}; right for {data.name} would be one of labels"
        )
    if network.outputs != data.classes:
        key = f"layers[{len(network.layers) - 1}].units"
        raise InputError(f"{network.name}: {key}: found {network.outputs}; right for the classes of {data.name} would be {data.classes}")
