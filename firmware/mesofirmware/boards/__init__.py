"""One module per board. Nothing outside this package touches pins or peripherals."""
