"""Derivations of the gradients of networks: from a spec to equations, their proof and their document."""

from derive.network import Network, json_schema, load, loads
from derive.spec_errors import SpecError

__all__ = ["Network", "SpecError", "json_schema", "load", "loads"]
