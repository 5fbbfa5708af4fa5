"""The proof of a derivation: every step, every chain of steps, every gradient as a whole, and the program that is computed.

Nothing here uses the engine: no symbolic derivative, no rewrite. A claim is tested by computing both of its sides at random points of
tiny sizes; derivatives come from running the FORWARD equations on dual numbers, those of products of the Hessian from dual numbers of
dual numbers (the steps of such a product differentiate equations of gradients, which have been proved before). What is shared with the
engine is the node classes of index.py (their constructors bring sums into a normal form) and the data types of program.py.

What a verdict is worth. A "no" is certain: two sides that differ at a point are not equal. A "yes" is wrong with a small probability.
In the finite fields (q about 2^60, p = 10 q + 1) a false identity holds at one random point with probability at most d / q (Schwartz
and Zippel), where d is its degree, after denominators are cleared, in the entries and in the exponentials of single entries: for d
below 10^4 less than 10^-14, and every claim is tested at two points or more. For exponentials of products of entries (the
exp(-x^2/2) of a GELU) the same bound rests on g^b being as good as random. Logarithms, erf and pi are fixed random values that
obey exp(log v) = v, d log v = dv/v, erf(-x) = -erf(x) and d erf(x) = 2/sqrt(pi) exp(-x^2) dx: a claim that follows from these laws is
proved; one that fails is decided with 50 digits instead, as is one that nests exponentials. With 50 digits the two sides have to
agree to 30 digits at every point; for that no bound is proved. Formulas by cases are tested at as many points as it takes to
reach every branch, and a branch that no point has reached is named in the verdict.
"""

from derive.proof.check import prove
from derive.proof.conventions import Agreement, prove_conventions
from derive.proof.verdict import Verdict

__all__ = ["Agreement", "Verdict", "prove", "prove_conventions"]
