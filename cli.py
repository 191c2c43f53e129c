"""The door for a bare checkout: `python cli.py evaluate ...` is `genbench evaluate ...`."""

from genbench.cli import main

if __name__ == "__main__":
    main()
