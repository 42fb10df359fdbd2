"""What a campaign says nothing about: seeds without a result, runtimes, scenarios and faults that were not played."""

from __future__ import annotations

from mesosim.lab import catalogue, scenario
from mesosim.lab.report.reading import Campaign
from mesosim.runtime import RUNTIMES


def unexplored(campaign: Campaign) -> list[tuple[str, str]]:
    """What it is, and which; nothing of it is evidence of anything."""
    results = campaign.account.results
    played = {result.outcome.scenario for result in results}
    struck = {result.outcome.fault for result in results}
    runtimes = {result.key.runtime for result in results}
    drawn = any(job["draw"] for begun in campaign.begun for job in begun["jobs"])
    found = [
        (f"{row.scenario} on {row.runtime}", f"{row.seeds - row.done} of {row.seeds} seeds, from {row.first_missing}")
        for row in campaign.planned()
        if row.first_missing is not None
    ]
    found += [("Runtime", name) for name in RUNTIMES if name not in runtimes]
    if not drawn:
        found.append(("Devices", "all with the values that their scenarios give: nothing was drawn by a campaign file"))
    left = sorted(set(scenario.names()) - played)
    if left:
        found.append((f"Packaged scenarios ({len(left)})", ", ".join(left)))
    silent = sorted(set(catalogue.named()) - struck)
    if silent:
        found.append((f"Named faults of the catalogue ({len(silent)} of {len(catalogue.named())})", ", ".join(silent)))
    families = set(catalogue.everything()) - set(catalogue.named())
    if families:
        found.append(
            ("Faults of single Board calls, frames and journal writes", f"{len(families - struck)} of {len(families)}")
        )
    return found


def undetectable() -> list[tuple[str, str]]:
    """Faults that no sensor of the handpiece can see, and the physical reason. No campaign changes that."""
    return [(fault.name, fault.why) for fault in catalogue.named().values() if not fault.detectable]
