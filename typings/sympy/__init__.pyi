from sympy.core.add import Add as Add
from sympy.core.basic import Atom as Atom
from sympy.core.basic import Basic as Basic
from sympy.core.containers import Tuple as Tuple
from sympy.core.expr import AtomicExpr as AtomicExpr
from sympy.core.expr import Expr as Expr
from sympy.core.exprtools import factor_terms as factor_terms
from sympy.core.function import (
    Function as Function,
)
from sympy.core.function import (
    count_ops as count_ops,
)
from sympy.core.function import (
    diff as diff,
)
from sympy.core.function import (
    expand as expand,
)
from sympy.core.function import (
    expand_log as expand_log,
)
from sympy.core.function import (
    expand_mul as expand_mul,
)
from sympy.core.mul import Mul as Mul
from sympy.core.numbers import (
    E as E,
)
from sympy.core.numbers import (
    Float as Float,
)
from sympy.core.numbers import (
    Integer as Integer,
)
from sympy.core.numbers import (
    Number as Number,
)
from sympy.core.numbers import (
    NumberSymbol as NumberSymbol,
)
from sympy.core.numbers import (
    Rational as Rational,
)
from sympy.core.numbers import (
    igcd as igcd,
)
from sympy.core.numbers import (
    ilcm as ilcm,
)
from sympy.core.numbers import (
    nan as nan,
)
from sympy.core.numbers import (
    oo as oo,
)
from sympy.core.numbers import (
    pi as pi,
)
from sympy.core.power import Pow as Pow
from sympy.core.relational import (
    Eq as Eq,
)
from sympy.core.relational import (
    Equality as Equality,
)
from sympy.core.relational import (
    Ge as Ge,
)
from sympy.core.relational import (
    GreaterThan as GreaterThan,
)
from sympy.core.relational import (
    Gt as Gt,
)
from sympy.core.relational import (
    Le as Le,
)
from sympy.core.relational import (
    LessThan as LessThan,
)
from sympy.core.relational import (
    Lt as Lt,
)
from sympy.core.relational import (
    Ne as Ne,
)
from sympy.core.relational import (
    Rel as Rel,
)
from sympy.core.relational import (
    StrictGreaterThan as StrictGreaterThan,
)
from sympy.core.relational import (
    StrictLessThan as StrictLessThan,
)
from sympy.core.relational import (
    Unequality as Unequality,
)
from sympy.core.singleton import S as S
from sympy.core.sorting import default_sort_key as default_sort_key
from sympy.core.sorting import ordered as ordered
from sympy.core.symbol import Dummy as Dummy
from sympy.core.symbol import Str as Str
from sympy.core.symbol import Symbol as Symbol
from sympy.core.traversal import postorder_traversal as postorder_traversal
from sympy.core.traversal import preorder_traversal as preorder_traversal
from sympy.functions.elementary.complexes import Abs as Abs
from sympy.functions.elementary.complexes import sign as sign
from sympy.functions.elementary.exponential import exp as exp
from sympy.functions.elementary.exponential import log as log
from sympy.functions.elementary.hyperbolic import atanh as atanh
from sympy.functions.elementary.hyperbolic import cosh as cosh
from sympy.functions.elementary.hyperbolic import sinh as sinh
from sympy.functions.elementary.hyperbolic import tanh as tanh
from sympy.functions.elementary.integers import floor as floor
from sympy.functions.elementary.miscellaneous import sqrt as sqrt
from sympy.functions.elementary.piecewise import Piecewise as Piecewise
from sympy.functions.elementary.piecewise import piecewise_fold as piecewise_fold
from sympy.functions.special.delta_functions import DiracDelta as DiracDelta
from sympy.functions.special.error_functions import erf as erf
from sympy.logic.boolalg import And as And
from sympy.logic.boolalg import Not as Not
from sympy.logic.boolalg import Or as Or
from sympy.logic.boolalg import false as false
from sympy.logic.boolalg import true as true
from sympy.ntheory import isprime as isprime
from sympy.ntheory import nextprime as nextprime
from sympy.ntheory import primitive_root as primitive_root
from sympy.polys.polyerrors import PolynomialError as PolynomialError
from sympy.polys.polytools import Poly as Poly
from sympy.polys.polytools import cancel as cancel
from sympy.polys.polytools import degree as degree
from sympy.polys.polytools import factor as factor
from sympy.polys.polytools import factor_list as factor_list
from sympy.polys.rationaltools import together as together
from sympy.printing.latex import LatexPrinter as LatexPrinter
from sympy.printing.latex import latex as latex
from sympy.printing.str import StrPrinter as StrPrinter
from sympy.printing.str import sstr as sstr
from sympy.simplify.radsimp import collect as collect
from sympy.simplify.radsimp import fraction as fraction

__version__: str
