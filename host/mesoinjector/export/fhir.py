"""Treatments and doses as a FHIR Bundle (extra `fhir`), R5 or R4B, checked by the models of `fhir.resources`.

| of the journal | resource |
|---|---|
| each device | `Device` |
| each treatment | `Procedure`, and `DeviceUsage` (R4B: `DeviceUseStatement`) |
| dose, test dose, series, perfusion | `MedicationAdministration`, part of it |
| fractional run | `Procedure`, part of it |

What never reaches a patient (prime, homing, dry runs) and what no treatment asked for (foreign doses) is left out. Only
a measured dose has a quantity; bounds are extensions, and an Unknown dose has the status `unknown` and its bounds. A
treatment is `completed` or `stopped` only if the journal says that its last part ended, and `unknown` if one of its
doses is.
"""

from __future__ import annotations

import importlib
import json
import uuid
from decimal import Decimal
from typing import Any, cast

from mesoinjector.errors import ExportError
from mesoinjector.export.lines import Account, DoseLine, TreatmentLine

SYSTEM = "urn:mesoinjector"
"""Before what kind of identifier or extension it is."""
INJECTED = ("dose", "retrograde", "test", "repeat", "perfusion")
RUNS = ("fractional",)
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_URL, SYSTEM)

Json = dict[str, Any]


def as_r5(account: Account) -> bytes:
    """FHIR 5.0.0."""
    return _checked(_R5(account).bundle(), "fhir.resources.bundle")


def as_r4b(account: Account) -> bytes:
    """FHIR 4.3.0."""
    return _checked(_R4B(account).bundle(), "fhir.resources.R4B.bundle")


def _checked(bundle: Json, module: str) -> bytes:
    """As the release's models write what they have read."""
    try:
        models = importlib.import_module(module)
    except ImportError:
        raise ExportError("FHIR needs a package that is not here. Next: pip install 'mesoinjector[fhir]'") from None
    text: str = models.Bundle.model_validate(bundle).model_dump_json()
    return json.dumps(json.loads(text), indent=1).encode()


class _R5:
    """The names of R5; `_R4B` has what differs."""

    MEDICATION, GIVEN_AT, DONE_AT, USAGE, PATIENT = (
        "medication",
        "occurencePeriod",
        "occurrencePeriod",
        "DeviceUsage",
        "patient",
    )

    def __init__(self, account: Account) -> None:
        self._account = account

    def bundle(self) -> Json:
        """All of it; the same journal makes the same bundle."""
        account = self._account
        named = [line.device for line in account.treatments] + [dose.device for dose in account.doses]
        entries = [self._entry(_url("device", device), self._device(device)) for device in dict.fromkeys(named)]
        for treatment in account.treatments:
            entries.append(self._entry(_treatment_url(treatment), self._treatment(treatment)))
            entries.append(self._entry(_url("usage", _named(treatment)), self._usage(treatment)))
        whose = {dose.dose_id: treatment for treatment in account.treatments for dose in treatment.doses}
        for dose in account.doses:
            treatment_of = whose.get(dose.dose_id)
            if dose.kind in INJECTED:
                entries.append(self._entry(_url("dose", dose.dose_id), self._administration(dose, treatment_of)))
            elif dose.kind in RUNS:
                entries.append(self._entry(_url("dose", dose.dose_id), self._run(dose, treatment_of)))
        bundle: Json = {"resourceType": "Bundle", "type": "collection"}
        bundle["identifier"] = _identifier("journal", account.head or "empty")
        return {**bundle, "entry": entries} if entries else bundle

    # --- Resources --------------------------------------------------------------------------------------

    def _device(self, uid: str) -> Json:
        kind = {"text": "Mesoinjector"}
        return {"resourceType": "Device", "identifier": [_identifier("device", uid)], "type": self._types(kind)}

    def _treatment(self, line: TreatmentLine) -> Json:
        resource: Json = {
            "resourceType": "Procedure",
            "identifier": [_identifier("treatment", _named(line))],
            "status": _treatment_status(line),
            "code": {"text": "Treatment with a mesoinjector"},
            "subject": _subject(line.patient_ref),
            self.DONE_AT: _period(line.began_utc, line.ended_utc),
            **self._used(line.device),
        }
        if line.operator:
            resource["performer"] = [{"actor": _person("operator", line.operator)}]
        if line.ended_by and not line.as_asked:
            resource["statusReason"] = {"text": line.ended_by}
        return resource

    def _usage(self, line: TreatmentLine) -> Json:
        return {
            "resourceType": self.USAGE,
            "identifier": [_identifier("usage", _named(line))],
            "status": self._usage_status(line),
            self.PATIENT: _subject(line.patient_ref),
            "device": self._device_of(line.device),
            "derivedFrom": [{"reference": _treatment_url(line)}],
            "timingPeriod": _period(line.began_utc, line.ended_utc),
        }

    def _administration(self, dose: DoseLine, treatment: TreatmentLine | None) -> Json:
        resource: Json = {
            "resourceType": "MedicationAdministration",
            **_given(dose, treatment),
            self.MEDICATION: self._medication(_content(treatment)),
            self.GIVEN_AT: _period(dose.committed_utc or dose.intended_utc, dose.ended_utc),
            "device": [self._device_of(dose.device)],
        }
        if resource["status"] != "completed":
            resource["statusReason"] = [{"text": dose.reason}]
        if treatment and treatment.operator:
            resource["performer"] = [{"actor": self._performer(treatment.operator)}]
        if dose.result != "NotDelivered":
            resource["dosage"] = _dosage(dose)
            resource["extension"] = [
                _extension("delivered-at-least", valueQuantity=_millilitres(dose.lower_nl)),
                _extension("delivered-at-most", valueQuantity=_millilitres(dose.upper_nl)),
                *_settled(dose),
            ]
        return resource

    def _run(self, dose: DoseLine, treatment: TreatmentLine | None) -> Json:
        resource: Json = {
            "resourceType": "Procedure",
            **_given(dose, treatment),
            "code": {"text": f"Fractional run, {dose.depth_um / 1000:g} mm, {dose.asked_strokes} punctures asked for"},
            "bodySite": [{"text": dose.zone}],
            self.DONE_AT: _period(dose.committed_utc or dose.intended_utc, dose.ended_utc),
            **self._used(dose.device),
        }
        if resource["status"] != "completed":
            resource["statusReason"] = {"text": dose.reason}
        if dose.result != "NotDelivered":
            made = [] if dose.strokes is None else [_extension("punctures", valueInteger=dose.strokes)]
            at_most = _extension("punctures-at-most", valueInteger=dose.upper_strokes)
            resource["extension"] = [*made, at_most, *_settled(dose)]
        return resource

    # --- What differs between releases --------------------------------------------------------------------

    def _types(self, kind: Json) -> Any:
        return [kind]

    def _medication(self, concept: Json) -> Json:
        return {"concept": concept}

    def _device_of(self, uid: str) -> Json:
        return {"reference": {"reference": _url("device", uid)}}

    def _used(self, uid: str) -> Json:
        return {"used": [self._device_of(uid)]}

    def _performer(self, operator: str) -> Json:
        return {"reference": _person("operator", operator)}

    def _entry(self, url: str, resource: Json) -> Json:
        return {"fullUrl": url, "resource": resource}

    def _usage_status(self, line: TreatmentLine) -> str:
        """There is no `unknown`: what was not said to have ended is `active` unless another treatment followed."""
        newest = [each for each in self._account.treatments if each.device == line.device][-1]
        if line.as_asked is None and line is newest:
            return "active"
        if not any(dose.committed_utc for dose in line.doses):
            return "not-done"
        return "completed" if line.as_asked else "stopped"


class _R4B(_R5):
    MEDICATION, GIVEN_AT, DONE_AT, USAGE, PATIENT = (
        "medicationCodeableConcept",
        "effectivePeriod",
        "performedPeriod",
        "DeviceUseStatement",
        "subject",
    )

    def _types(self, kind: Json) -> Any:
        return kind

    def _medication(self, concept: Json) -> Json:
        return concept

    def _device_of(self, uid: str) -> Json:
        return {"reference": _url("device", uid)}

    def _used(self, uid: str) -> Json:
        return {"usedReference": [self._device_of(uid)]}

    def _performer(self, operator: str) -> Json:
        return _person("operator", operator)


# --- Both releases -----------------------------------------------------------------------------------------


def _given(dose: DoseLine, treatment: TreatmentLine | None) -> Json:
    """What any dose or run has."""
    common: Json = {
        "identifier": [_identifier("dose", dose.dose_id)],
        "status": _dose_status(dose),
        "subject": _subject(dose.patient_ref),
    }
    if treatment:
        common["partOf"] = [{"reference": _treatment_url(treatment)}]
    return common


def _dose_status(dose: DoseLine) -> str:
    if dose.result == "Delivered":
        return "completed" if dose.complete else "stopped"
    return "not-done" if dose.result == "NotDelivered" else "unknown"


def _treatment_status(line: TreatmentLine) -> str:
    given = [dose.result for dose in line.doses if dose.kind in INJECTED + RUNS]
    if "Unknown" in given or line.as_asked is None:
        return "unknown"
    if line.as_asked:
        return "completed"
    return "stopped" if "Delivered" in given else "not-done"


def _dosage(dose: DoseLine) -> Json:
    asked = f"{dose.depth_um / 1000:g} mm deep in {dose.zone}, {dose.asked_nl / 1e6:g} ml asked for"
    if dose.exact and dose.delivered_nl is not None:
        return {"text": asked, "site": {"text": dose.zone}, "dose": _millilitres(dose.delivered_nl)}
    bounds = f"between {dose.lower_nl / 1e6:g} and {dose.upper_nl / 1e6:g} ml"
    known = "not measured" if dose.result == "Delivered" else "not known whether it was given"
    return {"text": f"{known}, {bounds}: {asked}", "site": {"text": dose.zone}}


def _content(treatment: TreatmentLine | None) -> Json:
    """What was in the syringe, as somebody has said it."""
    parts = treatment.about.get("component") if treatment else None
    if not isinstance(parts, list) or not parts:
        return {"text": "content of the syringe, not said"}
    return {"text": "; ".join(map(_said, cast("list[object]", parts)))}


def _said(part: Any) -> str:
    if isinstance(part, dict) and {"name", "volume_ml", "lot", "expiry"} <= part.keys():
        return f"{part['name']} {part['volume_ml']:g} ml, lot {part['lot']}, expiry {part['expiry']}"
    return json.dumps(part)


def _settled(dose: DoseLine) -> list[Json]:
    if dose.settled_because is None:
        return []
    return [_extension("settled-because", valueString=f"{dose.settled_because} ({dose.settled_by})")]


def _period(start: str | None, end: str | None) -> Json:
    """Within which it happened, by the host's clock; without an end if there is none, or if the clock was set back."""
    return {"start": start, **({"end": end} if start and end and end >= start else {})}


def _subject(patient_ref: str | None) -> Json:
    return _person("patient", patient_ref) if patient_ref else {"display": "not recorded"}


def _person(kind: str, ref: str) -> Json:
    return {"identifier": _identifier(kind, ref)}


def _identifier(kind: str, value: str) -> Json:
    return {"system": f"{SYSTEM}:{kind}", "value": value}


def _extension(kind: str, **value: Any) -> Json:
    return {"url": f"{SYSTEM}:{kind}", **value}


def _millilitres(nl: int) -> Json:
    return {"value": Decimal(nl).scaleb(-6), "unit": "ml", "system": "http://unitsofmeasure.org", "code": "mL"}


def _named(line: TreatmentLine) -> str:
    return f"{line.device}-{line.treatment}-{line.began_utc}"


def _treatment_url(line: TreatmentLine) -> str:
    return _url("treatment", _named(line))


def _url(kind: str, value: str) -> str:
    return f"urn:uuid:{uuid.uuid5(_NAMESPACE, f'{kind}:{value}')}"
