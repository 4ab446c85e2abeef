"""What each cost does to each parameter of a model: numbers, findings, and what to try."""

from whygrad.report.build import report
from whygrad.report.record import Finding, Layer, Numbers, Part, Report, Units

__all__ = ["Finding", "Layer", "Numbers", "Part", "Report", "Units", "report"]
