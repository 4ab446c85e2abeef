"""What a measurement leaves behind: plain records that go through JSON from the workers to the report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Row:
    """One contestant of one case. Seconds are None where `note` says why it was not timed."""

    name: str
    seconds: float | None = None
    spread: float | None = None
    ratio: float | None = None
    deviation: float | None = None
    mebibytes: float | None = None
    note: str = ""


@dataclass
class Table:
    """One case measured: its contestants, its goals, and how quiet the machine was."""

    case: str
    title: str
    reference: str
    rows: list[Row] = field(default_factory=list)
    goals: list[GoalResult] = field(default_factory=list)
    rounds: int = 0
    rejected: int = 0
    foreign_cores: float = 0.0
    disturbed: bool = False


@dataclass
class GoalResult:
    """A goal beside its figure; `value` is None where it could not be measured."""

    text: str
    limit: float
    unit: str
    value: float | None

    @property
    def verdict(self) -> str:
        """met, missed, or not measured."""
        if self.value is None:
            return "not measured"
        return "met" if self.value <= self.limit else "missed"


@dataclass
class GroupResult:
    """A group measured in one process, with the machine that it was measured on."""

    group: str
    title: str
    date: str
    threads: int
    machine: dict[str, str]
    versions: dict[str, str]
    missing: dict[str, str] = field(default_factory=dict)
    tables: list[Table] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Plain dicts and lists."""
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> GroupResult:
        """The inverse of `to_json`."""
        tables = [
            Table(
                **{
                    **table,
                    "rows": [Row(**row) for row in table["rows"]],
                    "goals": [GoalResult(**goal) for goal in table["goals"]],
                }
            )
            for table in document["tables"]
        ]
        return cls(**{**document, "tables": tables})
