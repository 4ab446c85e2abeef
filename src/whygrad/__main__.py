"""``python -m whygrad``: the command line, where no ``whygrad`` is on the path."""

from whygrad.cli import main

if __name__ == "__main__":
    main()
