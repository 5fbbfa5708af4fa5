from sympy.core.add import Add as Add
from sympy.core.basic import Atom as Atom, Basic as Basic
from sympy.core.containers import Tuple as Tuple
from sympy.core.expr import AtomicExpr as AtomicExpr, Expr as Expr
from sympy.core.exprtools import factor_terms as factor_terms
from sympy.core.function import (
    Function as Function,
    count_ops as count_ops,
    diff as diff,
    expand as expand,
    expand_log as expand_log,
    expand_mul as expand_mul,
)
from sympy.core.mul import Mul as Mul
from sympy.core.numbers import (
    E as E,
    Float as Float,
    Integer as Integer,
    Number as Number,
    NumberSymbol as NumberSymbol,
    Rational as Rational,
    igcd as igcd,
    ilcm as ilcm,
    nan as nan,
    oo as oo,
    pi as pi,
)
from sympy.core.power import Pow as Pow
from sympy.core.relational import (
    Eq as Eq,
    Equality as Equality,
    Ge as Ge,
    GreaterThan as GreaterThan,
    Gt as Gt,
    Le as Le,
    LessThan as LessThan,
    Lt as Lt,
    Ne as Ne,
    Rel as Rel,
    StrictGreaterThan as StrictGreaterThan,
    StrictLessThan as StrictLessThan,
    Unequality as Unequality,
)
from sympy.core.singleton import S as S
from sympy.core.sorting import default_sort_key as default_sort_key, ordered as ordered
from sympy.core.symbol import Dummy as Dummy, Str as Str, Symbol as Symbol
from sympy.core.traversal import postorder_traversal as postorder_traversal, preorder_traversal as preorder_traversal
from sympy.functions.elementary.complexes import Abs as Abs, sign as sign
from sympy.functions.elementary.exponential import exp as exp, log as log
from sympy.functions.elementary.hyperbolic import atanh as atanh, cosh as cosh, sinh as sinh, tanh as tanh
from sympy.functions.elementary.miscellaneous import sqrt as sqrt
from sympy.functions.elementary.piecewise import Piecewise as Piecewise, piecewise_fold as piecewise_fold
from sympy.functions.special.error_functions import erf as erf
from sympy.logic.boolalg import And as And, Not as Not, Or as Or, false as false, true as true
from sympy.ntheory import isprime as isprime, nextprime as nextprime, primitive_root as primitive_root
from sympy.polys.polyerrors import PolynomialError as PolynomialError
from sympy.polys.polytools import cancel as cancel, degree as degree, factor as factor
from sympy.polys.rationaltools import together as together
from sympy.printing.latex import LatexPrinter as LatexPrinter, latex as latex
from sympy.printing.str import StrPrinter as StrPrinter, sstr as sstr
from sympy.simplify.radsimp import collect as collect, fraction as fraction

__version__: str
