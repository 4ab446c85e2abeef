"""A layered network as a readable program: NumPy on whole arrays, scalar lines, or PyTorch.

The engine runs the NumPy and the scalar program itself, so that the program on screen, the formula and the number have
one source: the declarations in :mod:`whygrad.ops`.
"""
