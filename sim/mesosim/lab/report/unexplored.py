"""What a campaign says nothing about: seeds without a result, runtimes, scenarios and faults that were not played."""

from __future__ import annotations

from mesosim import handpiece
from mesosim.lab import catalogue, scenario
from mesosim.lab.report.reading import Campaign
from mesosim.runtime import RUNTIMES


def unexplored(campaign: Campaign) -> list[tuple[str, str]]:
    """What it is, and which; nothing of it is evidence of anything."""
    results = campaign.account.results
    played = {result.outcome.scenario for result in results}
    struck = {result.outcome.fault for result in results}
    runtimes = {result.key.runtime for result in results}
    found = [
        (f"{row.scenario} on {row.runtime}", f"{row.seeds - row.done} of {row.seeds} seeds, from {row.first_missing}")
        for row in campaign.planned()
        if row.first_missing is not None
    ]
    found += [("Runtime", name) for name in RUNTIMES if name not in runtimes]
    symbols = handpiece.load().symbols
    fixed = [name for name, symbol in symbols.items() if not _drawn(campaign, name, symbol)]
    if fixed:
        found.append((f"Values of the plant that no seed draws ({len(fixed)} of {len(symbols)})", ", ".join(fixed)))
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


def _drawn(campaign: Campaign, name: str, symbol: handpiece.Symbol) -> bool:
    """Whether a draw of any run reaches a symbol: by its name, or by its tolerance where whole devices are drawn."""
    draws = [job["draw"] or {} for begun in campaign.begun for job in begun["jobs"]]
    return any(name in draw.get("set", {}) or (draw.get("device", False) and symbol.tolerance > 0) for draw in draws)


def undetectable() -> list[tuple[str, str]]:
    """Faults that no sensor of the handpiece can see, and the physical reason. No campaign changes that."""
    return [
        (f"{fault.name} in a {mode}", why) for fault in catalogue.named().values() for mode, why in fault.unseen.items()
    ]
