"""Writers that go on after an interruption."""
