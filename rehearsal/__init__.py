"""The AWS deployment on one machine, with no account: an emulator, its corrections, and what is rehearsed on it."""
