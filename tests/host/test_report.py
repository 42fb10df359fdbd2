"""The report says what the record says, says the dangerous part first, and trusts no name in it."""

import os
import re
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib
import pytest

from mesoinjector.record import DoseRecord, FractionalRecord, Sample, Stroke, TreatmentRecord
from mesoinjector.report import write_report
from mesoinjector.report.account import Entry, Standing, run_account, standing, volumes
from mesoinjector.report.metered import DOSES_PER_FIGURE, representative

Write = Callable[[TreatmentRecord], str]

PULSE = tuple(Sample(10_000 * i, 1000 * min(i, 9 - i), 2_000 * i, 900 if 1 < i < 8 else -500) for i in range(10))

DOSE = DoseRecord(
    dose_id="00000000000000a1",
    kind="dose",
    zone="forehead",
    point=1,
    depth_um=1_250,
    asked_nl=20_000,
    result="Delivered",
    reason="complete",
    delivered_nl=20_130,
    lower_nl=20_040,
    upper_nl=20_210,
    plant_nl=20_070,
    plant_skin_nl=19_610,
    samples=PULSE,
)
PRIME = replace(DOSE, dose_id="00000000000000a0", kind="prime", zone="off skin", asked_nl=300_000)
PARTIAL = replace(DOSE, reason="TRIGGER", delivered_nl=7_310, lower_nl=7_200, upper_nl=7_400)
NOT_DELIVERED = replace(DOSE, result="NotDelivered", reason="ARM_TIMEOUT", delivered_nl=0, lower_nl=0, upper_nl=0)
UNKNOWN = replace(DOSE, result="Unknown", reason="INTERRUPTED", delivered_nl=4_444, lower_nl=4_000, upper_nl=9_000)


def strokes(intervals_us: list[int], depth_um: int = 800) -> tuple[Stroke, ...]:
    """Strokes with these intervals; the first and the last belong to the ramps."""
    last = len(intervals_us) - 1
    return tuple(
        Stroke(i, interval, depth_um, steady=0 < i < last, bad=False) for i, interval in enumerate(intervals_us)
    )


RUN = FractionalRecord(
    dose_id="00000000000000b1",
    zone="left cheek",
    depth_um=800,
    set_per_min=1_000,
    needles=12,
    area_mm2=2_000,
    asked_strokes=1_500,
    strokes=1_500,
    result="Delivered",
    reason="complete",
    records=strokes([0] + [60_006, 60_000] * 749 + [90_000], depth_um=823),
)


def record(*entries: Entry, simulated: bool = True) -> TreatmentRecord:
    return TreatmentRecord(
        plan_name="Face, first session",
        device_uid="E6614C311B",
        firmware="0.4.0",
        runtime="MicroPython 1.28.0",
        started_utc="2025-11-21T10:00:00Z",
        simulated=simulated,
        doses=[entry for entry in entries if isinstance(entry, DoseRecord)],
        runs=[entry for entry in entries if isinstance(entry, FractionalRecord)],
    )


@pytest.fixture
def report(tmp_path: Path) -> Write:
    """Write a record's report and read it back, its white space made single."""

    def write(treatment: TreatmentRecord) -> str:
        path = tmp_path / "report.html"
        write_report(treatment, path)
        return re.sub(r"\s+", " ", path.read_text(encoding="utf-8"))

    return write


def svgs(page: str) -> list[str]:
    return re.findall(r"<svg.*?</svg>", page, re.DOTALL)


def drawn_text(svg: str) -> list[str]:
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_the_numbers_of_a_dose_appear(report: Write) -> None:
    page = report(record(DOSE, replace(DOSE, point=2, delivered_nl=19_800, lower_nl=19_700, upper_nl=19_900)))
    assert "0.040 ml given" in page
    assert "0.0399 ml, between 0.0397 and 0.0401 ml" in page
    assert "0.0401 ml past the needle's tip, 0.0392 ml of it in skin" in page
    assert "−1.0 % by the device, −1.9 % in skin by the plant" in page
    for cell in ("1.25", "20.00", "20.13", "20.04 – 20.21", "+0.7 %", "20.07", "19.61", "39.93"):
        assert f">{cell}<" in page
    for meta in ("Face, first session", "E6614C311B", "0.4.0", "MicroPython 1.28.0", "2025-11-21T10:00:00Z"):
        assert meta in page


def test_what_rounds_to_zero_has_no_sign(report: Write) -> None:
    page = report(record(replace(DOSE, delivered_nl=19_999, lower_nl=19_990, upper_nl=20_010)))
    assert ">0.0 %<" in page


def test_the_numbers_of_a_run_appear(report: Write) -> None:
    page = report(record(RUN))
    assert "1,500 punctures counted" in page
    assert "1,500 / 1,500" in page
    assert "999.950 a minute, set 1,000 (left cheek)" in page  # steady mean is 60,003 µs
    assert "−50.0 ppm" in page
    assert "+3.00 (0.0 … +6.0)" in page
    assert "0.82 mm, set 0.80" in page
    assert ">900<" in page  # 1,500 strokes × 12 needles / 20 cm²


def test_ramps_and_the_first_stroke_are_outside_cadence_figures() -> None:
    cadence = run_account(replace(RUN, records=strokes([0, 60_000, 60_000, 99_000]))).cadence
    assert cadence is not None
    assert (cadence.strokes, cadence.mean_error_us) == (2, 0)
    assert run_account(replace(RUN, records=strokes([0, 90_000]))).cadence is None


def test_stroke_records_are_counted_beside_the_strokes(report: Write) -> None:
    assert "<td>1,600</td><td>1,542</td><td>1,500</td>" in report(
        record(replace(RUN, strokes=1_542, asked_strokes=1_600))
    )


def test_a_run_of_which_nobody_knows_is_bounded(report: Write) -> None:
    page = report(record(replace(RUN, result="Unknown", strokes=0, upper_strokes=1_500, records=())))
    assert "0 to 1,500 punctures</p>" in page and "<td>12</td> <td>20.0</td><td>–</td>" in " ".join(page.split())
    assert "run over left cheek: at most 1,500 of 1,500 punctures" in page
    assert page.count("at most 1,500") == 3 and "no stroke records, set" in page


def test_bad_strokes_are_listed(report: Write) -> None:
    bad = replace(RUN.records[700], depth_um=1_011, bad=True)
    page = report(record(replace(RUN, records=(*RUN.records[:700], bad, *RUN.records[701:]))))
    assert re.search(r"Bad strokes: left cheek.*<td>700</td><td>1.01</td><td>\+0.21</td>", page)
    assert "Bad strokes" not in report(record(RUN))


@pytest.mark.parametrize(
    ("result", "reason", "expected"),
    [
        ("Delivered", "complete", Standing.COMPLETE),
        ("Delivered", "TRIGGER", Standing.PARTIAL),
        ("NotDelivered", "ARM_TIMEOUT", Standing.NOT_DELIVERED),
        ("NotDelivered", "complete", Standing.NOT_DELIVERED),
        ("Unknown", "complete", Standing.UNKNOWN),
        ("a word of a later version", "complete", Standing.UNKNOWN),
    ],
)
def test_what_is_not_clearly_known_is_unknown(result: str, reason: str, expected: Standing) -> None:
    assert standing(replace(DOSE, result=result, reason=reason)) is expected
    assert standing(replace(RUN, result=result, reason=reason)) is expected


@pytest.mark.parametrize("entry", [UNKNOWN, replace(PRIME, result="Unknown"), replace(RUN, result="Unknown")])
def test_an_unknown_result_is_seen_first_with_what_to_do(report: Write, entry: Entry) -> None:
    body = report(record(DOSE, PARTIAL, RUN, entry)).split("<body>")[1].strip()
    assert body.startswith('<section class="alert unknown"')
    banner = body[: body.index("</section>")]
    assert "1 result unknown: do not give again" in banner
    assert "Never give one of these again before asking the device" in banner
    assert entry.dose_id in banner


def test_an_unknown_dose_is_told_by_its_bounds_only(report: Write) -> None:
    page = report(record(UNKNOWN))
    assert "given between 4.00 and 9.00 µl" in page
    assert "0.004 to 0.009 ml given" in page
    assert "4.44" not in page.split("<svg")[0] + page.split("</svg>")[-1]
    assert volumes([DOSE, UNKNOWN]).delivered_nl is None
    assert volumes([DOSE, UNKNOWN]).upper_nl == 29_210


@pytest.mark.parametrize(
    ("entry", "amount"),
    [
        (PARTIAL, "given 7.31 µl, between 7.20 and 7.40 µl"),
        (NOT_DELIVERED, "given 0.00 µl, between 0.00 and 0.00 µl"),
        (replace(RUN, strokes=212, reason="LINK_LOST"), "212 of 1,500 punctures counted"),
    ],
)
def test_what_was_not_given_in_full_is_seen_first(report: Write, entry: Entry, amount: str) -> None:
    body = report(record(DOSE, entry)).split("<body>")[1].strip()
    assert body.startswith('<section class="alert warning"')
    banner = body[: body.index("</section>")]
    assert "1 dose or run not given in full" in banner
    assert "Never give one of these again before asking the device" in banner
    assert amount in banner
    assert entry.reason in banner


def test_many_unfinished_doses_do_not_bury_the_page(report: Write) -> None:
    page = report(record(*[replace(PARTIAL, point=i) for i in range(20)]))
    assert "20 doses or runs not given in full" in page
    assert "and 12 more" in page
    assert page.split("</section>")[0].count("<li>") == 9


def test_a_complete_dose_off_its_volume_is_told(report: Write) -> None:
    low = replace(DOSE, delivered_nl=18_900, lower_nl=18_800, upper_nl=19_000)
    assert "1 complete dose outside ±5 % by the device's account" in report(record(low))
    assert "1 complete dose outside ±5 % in the skin" in report(record(replace(DOSE, plant_skin_nl=18_990)))


def test_a_good_treatment_raises_no_alarm(report: Write) -> None:
    page = report(record(PRIME, DOSE, RUN))
    assert 'role="alert"' not in page
    assert page.split("<body>")[1].strip().startswith("<header>")


def test_simulation_is_said_and_only_then(report: Write) -> None:
    real = replace(DOSE, plant_nl=None, plant_skin_nl=None)
    simulated_page, real_page = report(record(DOSE)), report(record(real, simulated=False))
    assert simulated_page.index("Simulated device.") < simulated_page.index("0.020 ml given")
    assert "Simulated" not in real_page
    assert "plant" not in real_page.lower()


def test_primes_are_no_doses(report: Write) -> None:
    page = report(record(PRIME, DOSE))
    assert "0.020 ml in 1 dose" in page
    assert "0.020 ml in 1 prime" in page
    assert "−93.3 %" not in page  # a prime ends when pressure rises: it has no volume to miss


def test_names_cannot_become_markup(report: Write) -> None:
    evil = '<script>alert("x")</script>&\'"'
    named = replace(record(), plan_name=evil, device_uid=evil, firmware=evil, runtime=evil, started_utc=evil)
    named.doses = [replace(d, zone=evil, reason=evil, dose_id=evil, kind=evil) for d in (DOSE, UNKNOWN)]
    named.runs = [replace(RUN, zone=evil, reason=evil, dose_id=evil)]
    page = report(named)
    assert "<script" not in page
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;" in page
    assert any(evil[:10] in text for text in drawn_text(svgs(page)[0]))


@pytest.mark.parametrize("zone", [r"$\frac$", "$x^2$", "面部", "two\nlines", ""])
@pytest.mark.filterwarnings("error")
def test_any_zone_name_can_be_drawn(report: Write, zone: str) -> None:
    page = report(record(replace(DOSE, zone=zone), replace(RUN, zone=zone)))
    drawn = [text for svg in svgs(page) for text in drawn_text(svg)]
    assert " ".join(zone.split()) in drawn


def test_the_page_needs_nothing_else(report: Write) -> None:
    page = report(record(DOSE, RUN))
    assert not re.search(r"<(script|link|iframe|img|object)\b", page)
    references = re.findall(r"""(?:src|href)\s*=\s*["']([^"']*)|url\(["']?([^)"']*)""", page)
    assert references
    assert all((a or b).startswith(("#", "data:")) for a, b in references)


def test_figures_are_well_formed_and_carry_units(report: Write) -> None:
    page = report(record(DOSE, RUN))
    labels = {text for svg in svgs(page) for text in drawn_text(svg)}
    assert labels >= {
        "volume (µl)",
        "error from set (%)",
        "pressure (kPa)",
        "plunger (µl)",
        "needle out (mm)",
        "time (s)",
        "interval − set (µs)",
        "set 0.80 mm, 1,000 punctures/min",
    }


def test_figures_without_data_are_left_out(report: Write) -> None:
    assert len(svgs(report(record(DOSE)))) == 2
    assert len(svgs(report(record(replace(DOSE, samples=()))))) == 1
    assert len(svgs(report(record(RUN)))) == 1
    assert len(svgs(report(record(replace(RUN, records=()))))) == 0
    no_steady = report(record(replace(RUN, records=strokes([0, 90_000]))))
    assert "interval − set (µs)" not in drawn_text(svgs(no_steady)[0])


def test_an_empty_plan_says_so(report: Write) -> None:
    page = report(record())
    assert "nothing was asked of the device" in page
    assert not svgs(page)
    assert "<table" not in page


def test_many_doses_get_several_figures(report: Write) -> None:
    doses = [replace(DOSE, point=i, samples=()) for i in range(2 * DOSES_PER_FIGURE + 1)]
    assert len(svgs(report(record(*doses)))) == 3


def test_traces_show_what_went_wrong_then_first_last_and_middle() -> None:
    doses = [replace(DOSE, point=i) for i in range(9)]
    assert [dose.point for dose in representative(doses)] == [0, 4, 8]
    doses[3] = replace(PARTIAL, point=3)
    assert [dose.point for dose in representative(doses)] == [0, 3, 8]
    assert [dose.point for dose in representative(doses[:1])] == [0]
    assert representative([replace(DOSE, samples=())]) == []


def test_a_missed_stroke_does_not_flatten_the_histogram(report: Write) -> None:
    intervals = [0] + [60_000 + i % 7 for i in range(400)] + [120_000, 60_000, 90_000]
    drawn = drawn_text(svgs(report(record(replace(RUN, records=strokes(intervals)))))[0])
    assert "1 more beyond the axis" in drawn
    assert "401 steady strokes" in drawn


def test_same_record_same_bytes_whatever_the_users_settings(tmp_path: Path) -> None:
    treatment = record(PRIME, DOSE, UNKNOWN, RUN)
    before = dict(matplotlib.rcParams)
    write_report(treatment, tmp_path / "a.html")
    assert dict(matplotlib.rcParams) == before
    with matplotlib.rc_context({"axes.labelsize": 20, "svg.hashsalt": "other", "xtick.major.size": 9}):
        write_report(treatment, tmp_path / "b.html")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
    assert "<dc:date>" not in (tmp_path / "a.html").read_text(encoding="utf-8")


def test_a_failed_write_leaves_the_older_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("older")

    def refuse(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(os, "replace", refuse)
    with pytest.raises(OSError, match="no space"):
        write_report(record(DOSE), path)
    assert path.read_text() == "older"
    assert list(tmp_path.iterdir()) == [path]


def test_half_an_hour_of_strokes_stays_small_and_quick(tmp_path: Path) -> None:
    scattered = tuple(
        Stroke(i, 66_647 + i * 7919 % 41, 700 + i * 104_729 % 200, steady=True, bad=False) for i in range(27_000)
    )
    path = tmp_path / "report.html"
    start = time.perf_counter()
    write_report(record(replace(RUN, asked_strokes=27_000, strokes=27_000, records=scattered)), path)
    assert time.perf_counter() - start < 20
    assert path.stat().st_size < 1_000_000
    assert "27,000 punctures" in path.read_text(encoding="utf-8")
