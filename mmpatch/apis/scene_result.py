"""What became of a scene."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

State = Literal['done', 'there', 'failed']


@dataclass(frozen=True)
class SceneResult:
    """The summary of one scene.

    Attributes:
        scene: Its path.
        state: ``'done'``; ``'there'`` if an earlier run had done it; ``'failed'``.
        text: What was found, or why it failed.
        seconds: Time that it took [s].
        fields: Row of the table of classes: ``scene``, ``label``, ``class``, ``score``.
    """

    scene: str
    state: State
    text: str
    seconds: float = 0.0
    fields: dict[str, Any] = field(default_factory=dict)

    @property
    def line(self) -> str:
        """The summary as a line of text."""
        if self.state == 'failed':
            return f'{self.scene}: FAILED: {self.text}'
        time = 'was there' if self.state == 'there' else f'{self.seconds:.1f} s'
        return f'{self.scene}: {self.text} ({time})'
