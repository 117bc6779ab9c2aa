"""`python -m cachelens`. In: command-line arguments. Out: the exit code of `cachelens.cli.main`."""

from cachelens.cli import main

if __name__ == "__main__":
    main()
