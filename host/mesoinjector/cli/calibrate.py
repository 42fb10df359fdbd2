"""`mesoinjector calibrate`: what a device is calibrated to is measured, shown, asked for, written and checked."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from matplotlib.figure import Figure

from mesoinjector import changing, errors, guided, shown
from mesoinjector.arguments import in_range
from mesoinjector.calibrating import Weighed, z_ul_per_mg
from mesoinjector.cli.giving import Profile, confirm
from mesoinjector.cli.screen import screen
from mesoinjector.cli.service import AsJson, Device, JournalPath, KeyFile
from mesoinjector.injector import Injector
from mesoinjector.links import is_simulated
from mesoinjector.report import calibration as pictures
from mesoinjector.report.account import DEPTH_GOAL_UM
from mesoinjector.scale import PROTOCOLS, Scale, open_scale
from mesoinjector.service import Service
from mesoinjector.weighing import Hands, check

_DEVICE = 3
"""Exit code: the device."""

app: typer.Typer = typer.Typer(no_args_is_help=True, help="Calibrate a device: measured, shown, asked for, checked.")

Operator = Annotated[str, typer.Option(help="Who calibrates; kept in the history.")]
Plot = Annotated[Path | None, typer.Option(help="Picture to write, .png or .html.")]
Yes = Annotated[
    bool, typer.Option("--yes", help="Do not ask before a dose, or before anything is written; a latch is asked about.")
]


def register(root: typer.Typer) -> None:
    """Add these commands to `mesoinjector`."""
    root.add_typer(app, name="calibrate")


@app.command("set")
def set_values(
    device: Device,
    operator: Operator,
    name: Annotated[str | None, typer.Option(help="The device's name, at most 16 ASCII letters.")] = None,
    carrier_zero_um: Annotated[int | None, typer.Option(help="Carrier sensor at the nose plane, -1000..1000.")] = None,
    pressure_zero_pa: Annotated[int | None, typer.Option(help="Sensor without pressure, -50000..50000.")] = None,
    encoder_gain_ppm: Annotated[int | None, typer.Option(help="Gain of the encoder, 900000..1100000.")] = None,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the settings as they are said here, while nothing moves; what is not named stays. Nothing is measured."""
    said = {
        "name": name,
        "carrier_zero_um": carrier_zero_um,
        "pressure_zero_pa": pressure_zero_pa,
        "encoder_gain_ppm": encoder_gain_ppm,
    }
    wanted = {key: value for key, value in said.items() if value is not None}
    if not wanted:
        raise errors.PlanError("nothing is to be written. Next: name a value, as in --pressure-zero-pa -300.")
    with Injector.open(device, journal, key) as injector:
        now = changing.values(changing.change(injector, "set", operator, "as said", wanted, {}))
    _print(now, as_json)


@app.command("dose")
def dose(
    device: Device,
    operator: Operator,
    scale: Annotated[
        str,
        typer.Option(help="typed, sics:PORT (Mettler Toledo) or sbi:PORT (Sartorius); sim:sics, sim:sbi for sim://."),
    ] = "typed",
    volume_ml: Annotated[
        list[float] | None, typer.Option(help="0.02 to 0.2; two or more.  [default: 0.02, 0.08]")
    ] = None,
    doses: Annotated[int, typer.Option(help="Of each volume, 3 to 30.")] = 5,
    checks: Annotated[int, typer.Option(help="Check doses of each volume, 1 to 30.")] = 2,
    water_c: Annotated[float, typer.Option(help="Temperature of water and air, 15 to 27 C.")] = 20.0,
    air_hpa: Annotated[float, typer.Option(help="Pressure of the air, 600 to 1100 hPa.")] = 1013.25,
    humidity_percent: Annotated[float, typer.Option(help="Of the air, 20 to 80 %.")] = 50.0,
    profile: Profile = "1ml-30G4-aqueous",
    plot: Plot = Path("calibration-dose.png"),
    yes: Yes = False,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Weigh doses of water on a bench scale, and calibrate the encoder by them. Mount a full syringe of water first.

    What is better is shown, asked for and written, then checked by doses; what proves worse is put back.
    """
    volumes_ml = volume_ml or [0.02, 0.08]
    check(volumes_ml, doses, checks, profile)
    in_range("water_c", water_c, 15, 27, "C")
    in_range("air_hpa", air_hpa, 600, 1100, "hPa")
    in_range("humidity_percent", humidity_percent, 20, 80, "%")
    _check_plot(plot)
    with Injector.open(device, journal, key) as injector:
        on = scale_of(scale, injector)
        try:
            least = doses * len(volumes_ml)
            confirm(injector, f"prime, and give {least} doses of water into a vessel, in a new treatment", yes)
            z = z_ul_per_mg(water_c, air_hpa, humidity_percent)
            found = guided.doses(injector, on, z, operator, _hands(injector, yes), volumes_ml, doses, checks, profile)
        finally:
            on.close()
    finding = found.finding
    assert finding is not None
    title = " ".join((f"Doses on {on.name}.", found.said, *found.loud))
    _draw(lambda: pictures.dose_figure(found.doses, finding, found.checks), title, plot)
    facts = {
        "treatment": found.treatment,
        "z_ul_per_mg": round(z, 5),
        "finding": asdict(finding),
        "doses": [asdict(each) for each in found.doses],
        "checks": [asdict(each) for each in found.checks],
    }
    if not as_json:
        _tell_doses(found.doses, found)
    _tell(found, facts, plot, as_json)


@app.command("pressure")
def pressure(
    device: Device,
    operator: Operator,
    plot: Plot = Path("calibration-pressure.png"),
    yes: Yes = False,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring the pressure sensor's zero to the air: without syringe and needle. Moves nothing."""
    _check_plot(plot)
    with Injector.open(device, journal, key) as injector:
        found = guided.pressure(injector, operator, _hands(injector, yes))
    _tell_zero(found, "pressure", "Pa", (guided.PRESSURE_NOISE_PA, "what the sensor may scatter by"), plot, as_json)


@app.command("depth")
def depth(
    device: Device,
    operator: Operator,
    depth_mm: Annotated[list[float] | None, typer.Option(help="Set depths, 0.4 to 4.0.  [default: 1.0, 3.0]")] = None,
    gauge_mm: Annotated[
        list[float] | None,
        typer.Option(help="What the gauge shows at each depth, if it is known; else it is asked for."),
    ] = None,
    plot: Plot = Path("calibration-depth.png"),
    yes: Yes = False,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Bring the carrier sensor's zero to a depth gauge at the nose, by dry runs with nothing mounted."""
    depths_mm = depth_mm or [1.0, 3.0]
    if gauge_mm and len(gauge_mm) != len(depths_mm):
        raise errors.PlanError(f"--gauge-mm: must be said {len(depths_mm)} times, once for each depth, or not at all.")
    known = dict(zip(depths_mm, gauge_mm or [], strict=False))
    _check_plot(plot)
    with Injector.open(device, journal, key) as injector:
        confirm(injector, f"move the needle drive with nothing mounted, at {', '.join(map(str, depths_mm))} mm", yes)
        found = guided.depth(
            injector, operator, _hands(injector, yes), depths_mm, lambda at: known[at] if known else _gauge(at)
        )
    _tell_zero(found, "needle's protrusion", "µm", (DEPTH_GOAL_UM, "goal for a depth"), plot, as_json)


@app.command("history")
def history(device: Device, journal: JournalPath = None, as_json: AsJson = False) -> None:
    """Show every change of the device's settings that this journal knows, the newest last. Moves nothing."""
    with Injector.open(device, journal) as injector:
        known = changing.history(injector.journal, injector.uid)
    if as_json:
        print(json.dumps([asdict(each) for each in known]))
        return
    for each in known:
        changed = [
            f"{name} {each.former[name]} -> {value}"
            for name, value in each.wanted.items()
            if value != each.former[name]
        ]
        print(f"{each.row:>8} {each.utc[:16]} {each.kind:9} {each.operator:12} {', '.join(changed) or 'no change'}")
    if not known:
        print("nothing is known of it")


@app.command("restore")
def restore(
    row: Annotated[int, typer.Argument(help="Row of `calibrate history`: what stood before it is put back.")],
    device: Device,
    operator: Operator,
    yes: Yes = False,
    journal: JournalPath = None,
    key: KeyFile = None,
    as_json: AsJson = False,
) -> None:
    """Put back what stood before a change. Moves nothing."""
    with Injector.open(device, journal, key) as injector:
        stands = changing.values(Service(injector).settings())
        back = ", ".join(f"{name} {stands[name]} -> {value}" for name, value in changing.before(injector, row).items())
        if not _agree(f"Put back what stood before change {row}: {back}?", yes):
            raise typer.Exit(2)
        now = changing.values(changing.restore(injector, row, operator))
    _print(now, as_json)


# --- Hands, eyes and words -------------------------------------------------------------------------------


def _hands(injector: Injector, yes: bool) -> Hands:
    def ready(what: str) -> None:
        if yes or is_simulated(injector.link):
            screen.print(what, soft_wrap=True)
        elif not _agree(f"{what}. Done?", False):
            raise errors.CalibrationError("nobody has done it. Nothing was written. Next: again, once it can be done.")

    return Hands(
        say=lambda what: screen.print(what, soft_wrap=True),
        ready=ready,
        agree=lambda what: _agree(what, yes),
        looked=lambda what: _agree(what, False),
        progress=lambda done, of: screen.print(f"dose {done + 1} of {of}"),
    )


def _agree(question: str, yes: bool) -> bool:
    """Without a terminal to answer at, only --yes agrees."""
    if yes:
        return True
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        screen.print("Nobody answered; --yes says it without a terminal.")
        return False


def _ask(question: str) -> str:
    try:
        answer: str = typer.prompt(question, err=True, default="", show_default=False)
    except typer.Abort:
        raise errors.ScaleSilent(
            "nobody types. Next: a terminal, or a scale at a port, as in sics:/dev/ttyUSB0."
        ) from None
    return answer


def _gauge(depth_mm: float) -> float:
    said = _ask(f"What does the gauge show, set to {depth_mm:g} mm (mm)")
    try:
        return float(said.replace(",", "."))
    except ValueError:
        raise errors.PlanError(f"gauge: {said!r} is no number. Nothing was written.") from None


def scale_of(spec: str, injector: Injector) -> Scale:
    """The scale that is named; a simulated one weighs what a simulated device has given."""
    if not spec.startswith("sim:"):
        return open_scale(spec, _ask)
    if not is_simulated(injector.link):
        raise errors.PlanError(f"--scale {spec}: a simulated scale weighs a simulated device's doses only.")
    from mesosim.scale import PROTOCOLS as SIMULATED
    from mesosim.scale import BenchScale

    protocol = spec.removeprefix("sim:")
    if protocol not in SIMULATED:
        raise errors.PlanError(f"--scale {spec}: must be one of {', '.join(f'sim:{each}' for each in SIMULATED)}.")
    link = injector.link
    line = BenchScale(
        protocol,
        link.now_us,
        lambda t_us: injector.wait((t_us - link.now_us()) / 1e6),
        lambda: link.control("account")["tip_nl"],
    )
    return PROTOCOLS[protocol](line, f"scale {spec}")


# --- What is shown ---------------------------------------------------------------------------------------


def _check_plot(plot: Path | None) -> None:
    """Before anything is sent. Raises `PlanError`."""
    if plot is not None and (plot.suffix not in pictures.SUFFIXES or plot.is_dir() or not plot.parent.is_dir()):
        kinds = " or ".join(pictures.SUFFIXES)
        raise errors.PlanError(f"--plot {plot}: must be a file {kinds} in a folder that exists. Nothing was sent.")


def _draw(figure: Callable[[], Figure], title: str, plot: Path | None) -> None:
    if plot is None:
        return
    try:
        pictures.write(figure, title, plot)
    except OSError as error:
        screen.print(f"{plot}: the picture could not be written ({error.strerror or error}).", soft_wrap=True)


def _tell_doses(doses: Sequence[Weighed], found: guided.Doses) -> None:
    assert found.finding is not None
    for i, each in enumerate(doses):
        mark = "  far from the others" if i in found.finding.outliers else ""
        early = "" if each.reason == "complete" else f"  ended early: {each.reason}"
        accounts = (each.asked_nl, each.stepped_nl, each.counted_nl, round(each.weighed_nl))
        asked, stepped, counted, weighed = (f"{shown.ul(nl):>10}" for nl in accounts)
        print(f"{asked} asked {stepped} stepped {counted} counted {weighed} weighed {each.error:+8.2%}{early}{mark}")
    for volume in found.finding.volumes:
        error = f"mean error {volume.error_percent:+.2f} % (95 %: ± {volume.half_percent:.2f} %)"
        print(f"{shown.ul(volume.asked_nl):>10} {error}, CV {volume.cv_percent:.2f} %, {volume.doses} doses")


def _tell_zero(
    found: guided.Zeroed, sensor: str, unit: str, limit: tuple[float, str], plot: Path | None, as_json: bool
) -> None:
    zero = found.found
    assert zero is not None
    title = " ".join((f"{sensor[:1].upper()}{sensor[1:]}.", found.said, *found.loud))
    _draw(lambda: pictures.zero_figure(found.readings, found.truth, zero, sensor, unit, *limit), title, plot)
    _tell(found, {"found": asdict(zero), "readings": list(found.readings), "truth": list(found.truth)}, plot, as_json)


def _tell(found: guided.Calibrated, facts: dict[str, Any], plot: Path | None, as_json: bool) -> None:
    """The decision; exit code 3 if the check has put back what stood, or something is wrong that nothing corrects."""
    if as_json:
        decision = {
            "calibration": found.kind,
            "said": found.said,
            "not_corrected": list(found.loud),
            "written": found.written,
            "put_back": found.put_back,
            "former": found.former,
            "now": found.now,
        }
        print(json.dumps({**decision, **facts, "plot": str(plot) if plot else None}))
    else:
        print(found.said)
    for each in found.loud:
        screen.print(f"NOT CORRECTED: {each}", soft_wrap=True)
    if found.written and not found.put_back:
        screen.print("Written, checked, and kept; what stood is in `calibrate history`.")
    if found.put_back:
        screen.print(f"Worse: {found.put_back}. What stood was put back.", soft_wrap=True)
    if plot is not None and plot.exists():
        screen.print(f"Picture: {plot}", soft_wrap=True)
    if found.put_back or found.loud:
        raise typer.Exit(_DEVICE)


def _print(values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print(json.dumps(values))
        return
    for key, value in values.items():
        print(f"{key.replace('_', ' '):24} {value}")
