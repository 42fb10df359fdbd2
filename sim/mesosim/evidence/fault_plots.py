plots=None
