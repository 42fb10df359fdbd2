"""The serial protocol of the mesoinjector: one schema, one codec, both sides.

Modules that also run on MicroPython, on the board: ``wire`` and ``limits`` (generated), ``codec``,
``frame``, ``crc``, ``tick``. For the host only: ``messages`` (generated), ``typed``, ``packing``, ``stream``.
"""
