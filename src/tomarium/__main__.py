"""`python -m tomarium` is the command line."""

from tomarium.cli import main

if __name__ == "__main__":
    main()
