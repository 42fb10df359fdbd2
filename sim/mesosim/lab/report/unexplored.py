"""What a campaign says nothing about: seeds without a result, runtimes, scenarios that were not played."""

from __future__ import annotations

from mesosim.lab import scenario
from mesosim.lab.report.reading import Campaign
from mesosim.runtime import RUNTIMES


def unexplored(campaign: Campaign) -> list[tuple[str, str]]:
    """What it is, and which; nothing of it is evidence of anything."""
    results = campaign.account.results
    played = {result.outcome.scenario for result in results}
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
    return found
