"""The studies, in the order in which the document has them. A study is loaded when it is asked for."""

from __future__ import annotations

from importlib import import_module

from mesosim.evidence.study import Study

MODULES = {
    "dose": "mesosim.evidence.dose_accuracy",
    "trumpet": "mesosim.evidence.trumpet",
    "trace": "mesosim.evidence.traceability",
    "strokes": "mesosim.evidence.strokes",
    "occlusion": "mesosim.evidence.occlusion",
    "faults": "mesosim.evidence.fault_matrix",
    "once": "mesosim.evidence.exactly_once",
    "speed": "mesosim.evidence.speed",
}
"""Each study's module by its name; the module has it as `STUDY`."""


def load(name: str) -> Study:
    """The study of that name. Raises KeyError."""
    study = import_module(MODULES[name]).STUDY
    assert isinstance(study, Study)
    assert study.name == name
    return study
