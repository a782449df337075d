"""What every test may use: the package's own fixtures, installed or not; and the watch over the contract."""

pytest_plugins = ["linq_async.testing", "contract.plugin"]
