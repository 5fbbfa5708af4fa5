"""Derivations of the gradients of networks: from a spec to equations, their proof and their document."""

from derive.adjoint import differentiate
from derive.documents import render as document
from derive.network import Network, json_schema, load, loads
from derive.proof import Agreement, Verdict, prove, prove_conventions
from derive.spec_errors import SpecError

__all__ = [
    "Agreement",
    "Network",
    "SpecError",
    "Verdict",
    "differentiate",
    "document",
    "json_schema",
    "load",
    "loads",
    "prove",
    "prove_conventions",
]
