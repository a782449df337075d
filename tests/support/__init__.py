"""What the tests share: servers, clocks, clients and samples."""
