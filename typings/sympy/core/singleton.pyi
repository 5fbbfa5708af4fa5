from sympy.core.numbers import ComplexInfinity, Exp1, ImaginaryUnit, Infinity, Integer, NaN, NegativeInfinity, Pi, Rational
from sympy.logic.boolalg import BooleanFalse, BooleanTrue

class SingletonRegistry:
    Zero: Integer
    One: Integer
    NegativeOne: Integer
    Half: Rational
    Pi: Pi
    Exp1: Exp1
    Infinity: Infinity
    NegativeInfinity: NegativeInfinity
    NaN: NaN
    ComplexInfinity: ComplexInfinity
    ImaginaryUnit: ImaginaryUnit
    true: BooleanTrue
    false: BooleanFalse

S: SingletonRegistry
