"""The driver of the mesoinjector.

    from mesoinjector import Injector

    with Injector.open("/dev/ttyACM0") as injector:
        injector.begin_treatment()
        injector.prime(volume_ml=0.06)
        result = injector.dose(volume_ml=0.02, depth_mm=1.0, zone="forehead", point=1)

A dose ends as `Delivered`, `NotDelivered` or `Unknown`; what was delivered is never guessed. An exception from
`dose`, `prime` or `fractional` means that nothing was committed and nothing moved.
"""

from mesoinjector.asynchronous import AsyncInjector
from mesoinjector.errors import (
    AuthError,
    CalibrationError,
    DeviceBusy,
    DeviceError,
    DeviceNotFound,
    DoseUncertain,
    Fault,
    FirmwareNotRunning,
    InsufficientSelector,
    JournalError,
    KeyFileError,
    LimitExceeded,
    LinkError,
    LinkLost,
    LogAltered,
    MesoError,
    PermissionDenied,
    PlanError,
    PortBusy,
    ProductionError,
    ProtocolError,
    RecordingError,
    Refused,
    ReplyTimeout,
    ScaleError,
    SessionLost,
    UnaccountedDose,
    VersionMismatch,
)
from mesoinjector.injector import Injector
from mesoinjector.keys import Key
from mesoinjector.pump import LineLost
from mesoinjector.results import Delivered, NotDelivered, Result, Unknown
from mesoinjector.service import Service
from mesoinjector.sessions import Session
from mesoinjector.treatment import Treatment

__all__ = [
    "AsyncInjector",
    "AuthError",
    "CalibrationError",
    "Delivered",
    "DeviceBusy",
    "DeviceError",
    "DeviceNotFound",
    "DoseUncertain",
    "Fault",
    "FirmwareNotRunning",
    "Injector",
    "InsufficientSelector",
    "JournalError",
    "Key",
    "KeyFileError",
    "LimitExceeded",
    "LineLost",
    "LinkError",
    "LinkLost",
    "LogAltered",
    "MesoError",
    "NotDelivered",
    "PermissionDenied",
    "PlanError",
    "PortBusy",
    "ProductionError",
    "ProtocolError",
    "RecordingError",
    "Refused",
    "ReplyTimeout",
    "Result",
    "ScaleError",
    "Service",
    "Session",
    "SessionLost",
    "Treatment",
    "UnaccountedDose",
    "Unknown",
    "VersionMismatch",
]
