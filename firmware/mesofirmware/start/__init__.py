"""What a board starts with: recovery first, then the application. `boot.py` and `main.py` go to its root folder."""
