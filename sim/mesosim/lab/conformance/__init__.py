"""What any device that speaks the protocol must do, by the protocol and the driver alone.

    pytest --pyargs mesosim.lab.conformance --mesoinjector=/dev/ttyACM0

Nothing moves without a test that asks for it; on a real device those that need a person are skipped unless
`--mesoinjector-operator` is given. What is wanted: a device without keys, or the operator's with `--mesoinjector-key`;
a syringe mounted, and a cartridge that no treatment has used; nothing latched that a person has to look at. Doses and
runs go into its ledger, in one treatment.
"""
