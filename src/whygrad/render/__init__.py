"""Records to text (rich), LaTeX, MathML, HTML and JSON. Printing only: nothing is computed here."""
