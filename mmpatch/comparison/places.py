"""Where the tools and configs of this installation are."""

from __future__ import annotations

from pathlib import Path

#: Folder of the package ``mmpatch``.
PACKAGE = Path(__file__).resolve().parents[1]


def workshop() -> Path:
    """The folder that holds ``tools`` and ``configs``.

    A wheel carries both in ``mmpatch/.mim``. In a checkout they are beside ``mmpatch``; an editable
    install links ``.mim`` to them.
    """
    carried = PACKAGE / '.mim' / 'tools'
    tools = carried if carried.is_dir() else PACKAGE.parent / 'tools'
    return tools.resolve().parent


def shown(path: Path) -> str:
    """A path for a command line: relative if it lies below the current folder."""
    full, here = path.absolute(), Path.cwd()
    return str(full.relative_to(here) if full.is_relative_to(here) else full)
