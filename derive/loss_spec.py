"""The loss in a spec: a name, a table with the name under `kind` and options beside it, or a formula of the user's own; and penalties.

Which there are and what they take is read from the tables of formulas. What the functions here raise is the error of a Pydantic
validator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

from pydantic import BaseModel, Field, GetJsonSchemaHandler, StrictBool, StrictInt, StrictStr, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from derive import own_formula
from derive.choices import OWN, needed, shortened, table_of, table_schema
from derive.formulas import losses
from derive.formulas.losses import LOSSES, PENALTIES, TARGETS
from derive.formulas.operation import Number
from derive.loss_scope import read_trial
from derive.parameters import completed, items, refuse_others, schema
from derive.spec_errors import one_of, shown, wrong

LOSS_KINDS = tuple(dict.fromkeys(kind for kind, _ in LOSSES))

Reduction = Literal["mean", "sum", "none", "batchmean"]
REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum", "none", "batchmean")

COMMON = ("reduction", "targets", "sample_weights", "ignore_index", "inputs")
MAX_INDEX = 10**9


class Loss(BaseModel, frozen=True, extra="allow"):
    """A loss by name or by formula, with what its formula takes as further keys (all of it, once validated).

    inputs: the names of the layers that it reads; none for the last one. ignore_index: a label that counts nothing, if there is one.
    """

    kind: StrictStr
    reduction: Reduction = "mean"
    targets: losses.Target
    sample_weights: StrictBool = Field(default=False, description="true or false")
    ignore_index: StrictInt | None = None
    inputs: tuple[StrictStr, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Loss) else _loss(given)

    @model_validator(mode="after")
    def _readable(self) -> Loss:
        if self.kind == OWN:
            own_formula.check_text(lambda: read_trial(self.formula, self.options, self.learned), "formula")
        return self

    @property
    def options(self) -> dict[str, Number]:
        """What the formula takes by name, defaults included; a list that was left out is absent."""
        extra = self.model_extra or {}
        return dict(extra["parameters"] if self.kind == OWN else extra)

    @property
    def formula(self) -> losses.Loss:
        """The formula, and what it takes."""
        if self.kind != OWN:
            return LOSSES[self.kind, self.targets]
        extra = self.model_extra or {}
        return losses.Loss(extra["formula"], extra["source"], self.targets, parameters=own_formula.parameters(self.options))

    @property
    def learned(self) -> dict[str, float]:
        """The numbers of a formula of the user's own that training changes, and how they start."""
        return dict((self.model_extra or {}).get("learned", {}))

    @property
    def described(self) -> str:
        """The options that are not PyTorch's defaults, in words: "half", "label_smoothing 0.1", "weight 1, 2"."""
        parameters = self.formula.parameters
        words = [_worded(name, given) for name, given in self.options.items() if given != parameters[name].default]
        words += [f"ignore_index {self.ignore_index}"] if self.ignore_index is not None else []
        return ", ".join([*words, *(["sample_weights"] if self.sample_weights else [])])

    def short(self) -> object:
        """What a spec says of it: a name where the defaults say the rest."""
        table = {"kind": self.kind, **self.model_dump(exclude_defaults=True)}
        if self.targets == next(iter(_forms(self.kind)), "values"):
            del table["targets"]
        return shortened(table, self.formula.parameters)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return _loss_schema()


class Penalty(BaseModel, frozen=True, extra="allow"):
    """A term of the loss by name, with the numbers of its formula as further keys (all of them, once validated).

    parameters: the names of the parameters that it is put on; none for all weights of two axes or more.
    """

    kind: StrictStr
    parameters: tuple[StrictStr, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _complete(cls, given: object) -> object:
        return given if isinstance(given, Penalty) else _penalty(given)

    @property
    def options(self) -> dict[str, Number]:
        """The numbers that the formula takes, by name."""
        return dict(self.model_extra or {})

    @property
    def formula(self) -> losses.Penalty:
        return PENALTIES[self.kind]

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {"title": "Penalty", "anyOf": [_penalty_schema(kind) for kind in PENALTIES]}


def check_lists(loss: Loss, outputs: int) -> None:
    """Raise the spec's error for a list of numbers that has not one for each output."""
    for name, given in loss.options.items():
        if isinstance(given, tuple) and len(given) != outputs:
            below = ("parameters", name) if loss.kind == OWN else (name,)
            raise wrong(f"found {len(given)} number{'s' if len(given) > 1 else ''}", f"{outputs}, one for each output", "loss", *below)


def check_penalties(penalties: Sequence[Penalty], parameters: Sequence[str]) -> None:
    """Raise the spec's error for a penalty on what is no parameter of the network."""
    for place, penalty in enumerate(penalties):
        for name in penalty.parameters:
            if name not in parameters:
                raise wrong(f"found {shown(name)}", one_of(parameters, name), "penalties", place, "parameters")


def hints(loss: Loss, last: str) -> tuple[str, ...]:
    """What is allowed, but probably not meant; `last` is the kind of layer or activation that the loss reads."""
    formula = loss.formula
    if formula.link is not None and last == formula.link:
        return (f"{loss.kind} applies {last} itself, so here it is applied twice: give the last layer no activation",)
    if formula.expects and last not in formula.expects:
        return (f"{loss.kind} wants what {' or '.join(formula.expects)} gives, and here it reads what {last} gives",)
    return ()


def _forms(kind: str) -> dict[str, losses.Loss]:
    """A loss for each kind of targets that it can take, the default first."""
    return {targets: found for (name, targets), found in LOSSES.items() if name == kind}


def _loss(given: object) -> dict[str, object]:
    """The table {kind, reduction, targets, .., every option} of a loss that was given as a name, as a table or as a formula."""
    table = table_of(given, "loss", LOSS_KINDS)
    kind = str(table["kind"])
    return _own(table) if kind == OWN else _named(table, kind)


def _named(table: Mapping[str, object], kind: str) -> dict[str, object]:
    forms = _forms(kind)
    targets = table.get("targets", next(iter(forms)))
    if not isinstance(targets, str) or targets not in forms:
        raise wrong(f"found {shown(targets)}, which {kind} cannot take", one_of(forms, targets), "targets")
    formula = forms[targets]
    refuse_others(table, ["kind", *COMMON, *formula.parameters], kind)
    common = _common(table, targets, formula.values)
    return {"kind": kind, **common, **completed(table, formula.parameters)}


def _own(table: Mapping[str, object]) -> dict[str, object]:
    targets = table.get("targets", "values")
    if not isinstance(targets, str) or targets not in TARGETS:
        raise wrong(f"found {shown(targets)}", one_of(TARGETS, targets), "targets")
    refuse_others(table, ["kind", *COMMON, *own_formula.KEYS], "a formula")
    complete = own_formula.completed(table, ("prediction", "target"), lists=True)
    own_formula.check_parts(complete, ("prediction", "target"))
    return {"kind": OWN, **_common(table, targets, ("prediction",)), **complete}


def _common(table: Mapping[str, object], targets: str, values: Sequence[str]) -> dict[str, object]:
    """The keys that every loss has."""
    found: dict[str, object] = {key: table[key] for key in ("reduction", "sample_weights") if key in table}
    ignored = table.get("ignore_index")
    if ignored is not None:
        if targets != "labels":
            raise wrong(f"found {shown(ignored)}, where targets are {targets}", "no such key: only labels can be ignored", "ignore_index")
        if isinstance(ignored, bool) or not isinstance(ignored, int) or abs(ignored) > MAX_INDEX:
            raise wrong(f"found {shown(ignored)}", "a label: a whole number such as -100", "ignore_index")
        found["ignore_index"] = ignored
    if "inputs" in table or len(values) > 1:
        found["inputs"] = _inputs(table.get("inputs"), values)
    return {**found, "targets": targets}


def _inputs(given: object, values: Sequence[str]) -> tuple[str, ...]:
    names = items(given) or ()
    if len(names) != len(values) or not all(isinstance(name, str) for name in names):
        found = "missing" if given is None else f"found {shown(given)}"
        raise wrong(found, f"a list of the layers that are its {' and its '.join(values)}", "inputs")
    return tuple(map(str, names))


def _penalty(given: object) -> dict[str, object]:
    table = table_of(given, "penalty", list(PENALTIES))
    kind = str(table["kind"])
    if kind == OWN:
        raise wrong(f"found {shown(OWN)}", one_of(PENALTIES), "kind")
    parameters = PENALTIES[kind].parameters
    refuse_others(table, ["kind", "parameters", *parameters], kind)
    names = items(table.get("parameters", ()))
    if names is None or not all(isinstance(name, str) for name in names):
        raise wrong(f"found {shown(table['parameters'])}", 'a list of parameters such as ["W1", "W2"]', "parameters")
    return {"kind": kind, "parameters": tuple(map(str, names)), **completed(table, parameters)}


def _worded(name: str, given: Number) -> str:
    if isinstance(given, bool):
        return name if given else f"no {name}"
    return f"{name} {', '.join(map(str, given)) if isinstance(given, tuple) else given}"


# -- schema ------------------------------------------------------------------------------------------------------------


def _loss_schema() -> JsonSchemaValue:
    own = own_formula.table_schema(OWN, {**_common_schema(list(TARGETS)), "targets": {"enum": list(TARGETS), "default": "values"}})
    return {"title": "Loss", "anyOf": [{"type": "string", "enum": list(LOSS_KINDS)}, *map(_loss_table, LOSS_KINDS), own]}


def _loss_table(kind: str) -> JsonSchemaValue:
    forms = _forms(kind)
    parameters = {name: p for form in forms.values() for name, p in form.parameters.items()}
    keys = {**_common_schema(list(forms)), **{name: schema(p) for name, p in parameters.items()}}
    return table_schema(kind, keys, next(iter(forms.values())).source, needed(parameters))


def _common_schema(targets: Sequence[str]) -> dict[str, JsonSchemaValue]:
    ignorable = {"ignore_index": {"type": "integer"}} if "labels" in targets else {}
    return {
        "reduction": {"enum": list(REDUCTIONS), "default": REDUCTIONS[0]},
        "targets": {"enum": list(targets), "default": targets[0]},
        "sample_weights": {"type": "boolean", "default": False},
        **ignorable,
        "inputs": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    }


def _penalty_schema(kind: str) -> JsonSchemaValue:
    parameters = PENALTIES[kind].parameters
    keys: dict[str, JsonSchemaValue] = {"parameters": {"type": "array", "items": {"type": "string"}}}
    keys |= {name: schema(p) for name, p in parameters.items()}
    return table_schema(kind, keys, PENALTIES[kind].source, needed(parameters))
