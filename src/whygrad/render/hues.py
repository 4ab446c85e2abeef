"""The hues of costs, in light and dark, apart for colour-blind eyes too (after Okabe and Ito).

The viewer's style sheet has the same ones; a test holds them together.
"""

LIGHT = ("#0072b2", "#d55e00", "#008f68", "#a8458f", "#8f6d00", "#5552cf")
DARK = ("#56b4e9", "#f28e4c", "#3ccb9f", "#e08fc8", "#e6c229", "#a5a3ff")
