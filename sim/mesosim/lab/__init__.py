"""The laboratory: scenarios, faults, campaigns and reports, with a real host driver on a simulated or a real device."""
