"""What every test may use: the package's own fixtures, installed or not."""

pytest_plugins = ["linq_async.testing"]
