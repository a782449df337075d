"""``python -m linq_async``: the command line."""

from linq_async.cli import main

if __name__ == "__main__":
    main()
