"""The firmware of the handpiece: integers only, one cooperative loop, the same files on board and simulator."""
