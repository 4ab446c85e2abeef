"""The searches for what is wrong with an equation: one function for each slip, listed in `causes.TABLE`."""
