"""What every test may use: the package's own fixtures, installed or not; and what holds each exchange to the contract."""

pytest_plugins = ["linq_async.testing", "contract.plugin"]
