"""The sample site: four small-town newspapers, made up from end to end, served on loopback over real HTTP."""

from local.site.server import Request, SampleSite

__all__ = ["Request", "SampleSite"]
