"""`python -m mesosim.wasm`: install MicroPython for WebAssembly, by npm, into the user's cache."""

import sys

from mesosim import wasm
from mesosim.micropython import NoMicroPython

try:
    print(wasm.install())
except NoMicroPython as error:
    sys.exit(f"mesosim.wasm: {error}")
