"""`python -m anomalo`: the command line, where its script is not on the path."""

from anomalo.cli import main

if __name__ == "__main__":
    main()
