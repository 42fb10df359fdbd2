"""The handpiece's firmware: integers only, one cooperative loop, the same files on board and simulator."""
