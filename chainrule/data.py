"""Data sets to train on: a fixed split, a third of the examples held out."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from chainrule.module import Array
from chainrule.specs import InputError
from codegen.about import about
from codegen.arguments import Rows
from codegen.schedule import run_time_axis
from derive import Network

Name = Literal["digits"]
DType = Literal["float32", "float64"]


@dataclass(frozen=True)
class DataSet:
    """Examples with features in [0, 1], the examples along the first axis, and their labels; the held-out third is never trained on."""

    name: str
    classes: int
    X: Array
    y: Array
    held_out_X: Array
    held_out_y: Array

    @property
    def features(self) -> int:
        return math.prod(self.X.shape[1:])


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


def fitted(network: Network, data: DataSet) -> DataSet:
    """The data with examples in the shape that the network takes.

    Raises InputError unless the network takes as many numbers as the data has features, and its loss the data's labels.
    """
    program, words = network.program(), about(network)
    X, y = (Rows(t, run_time_axis(program)) for t in (program.inputs[0], program.targets[0]))
    shape = tuple(a.extent or 1 for a in X.each)
    if X.tensor.values or math.prod(shape) != data.features:
        found = "tokens" if X.tensor.values else str(shape[0]) if len(shape) == 1 else str(list(shape))
        raise InputError(f"{network.name}: inputs: found {found}; right for {data.name} would be {data.features}")
    if words.targets != "labels" or y.each:
        takes = f"labels {y.shape}" if words.targets == "labels" else words.targets
        raise InputError(
            f"{network.name}: loss: found {network.loss.kind}, which takes {takes}; right for {data.name} would be one of labels"
        )
    classes = y.tensor.values.extent if y.tensor.values else 0
    if classes != data.classes:
        raise InputError(f"{network.name}: outputs: found {classes}; right for the classes of {data.name} would be {data.classes}")
    return replace(data, X=data.X.reshape(-1, *shape), held_out_X=data.held_out_X.reshape(-1, *shape))
